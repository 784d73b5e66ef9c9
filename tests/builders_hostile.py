"""Names that try to break out of a report, and a report in which everything has such a name."""

from dataclasses import replace

from concurtrace.analysis.hot import find_hot
from concurtrace.model.recording import Loss, MemoryUsage, SourceFile, Table
from concurtrace.model.report import Artifact, Report
from concurtrace.model.run import PassStatus, Target, TargetKind
from tests.builders import MS, SOURCE, everything, memory_series, not_done, process

HOSTILE = {
    "end of script": "</script><script>alert(1)</script>",
    "capital end of script": "</SCRIPT ><img src=x onerror=alert(1)>",
    "comment": "<!--<script>",
    "quotes": "\"' onmouseover='alert(1)' x=\"`${1}`",
    "entities": "&lt;b&gt; &amp; &#60;",
    "template": "{{ 7*7 }}{% raw %}",
    "right to left": "\u202egnp.\u202c\u05d0\u05d1\u05d2",
    "controls": "\x1b[31mred\x00\x07\r\n\u2028\u2029",
    "bytes": "caf\udce9\udcff",
    "long": "very_long_name_" * 700,
    "markdown": "| a | [b](javascript:alert(1)) ``c`` @everyone #1",
}
"""Names that a report must show as they are, or escaped, and never obey."""


def hostile(name: str) -> Report:
    """A report in which everything that a target can name has this name."""
    made = everything(name=name, file=f"/srv/{name}/{name}.py", thread=name)
    recording = made.recording
    assert recording.lines is not None
    source = SourceFile(f"/srv/{name}/{name}.py", (name,) * len(SOURCE))
    recording = replace(
        recording,
        lines=replace(recording.lines, sources=(source,)),
        memory=MemoryUsage(
            (memory_series([1, 2], process(name, 5)),), 10 * MS, (Loss(name, name),)
        ),
        tables=(Table(name, (name,), ((name,),), name),),
    )
    passes = (*made.passes, not_done(name, name, PassStatus.FAILED))
    passes = (replace(passes[0], reason=name), *passes[1:])
    return replace(
        made,
        target=Target(TargetKind.SCRIPT, name, None, ("/usr/bin/python3", name, name)),
        recording=recording,
        hot=find_hot(recording),
        passes=passes,
        artifacts=(Artifact(name, name, 1, name),),
        outcome=replace(made.outcome, error=name, checksum=name),
    )
