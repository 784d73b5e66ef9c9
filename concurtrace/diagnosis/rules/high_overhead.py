"""Recording the wait states made the run noticeably longer.

Figures of such a run are those of a slower program, and may be those of another one: what is
recorded most often is slowed down most.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import share_text, time_text

OVERHEAD = 0.1
"""A tenth: below, it is within what two runs differ by."""
SPREADS = 2.0
"""How many times the spread of the undisturbed runs it must be above them."""
BUSY = 0.1
"""Share of all cores' time taken by others above which two runs can't be compared this closely."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the CPU and wall time of the pass with those of the undisturbed runs."""
    light = case.recorded_by
    baseline = next(one for one in case.passes if one.name == "baseline")
    if light is None or light.overhead is None:
        yield fine("Nothing to compare.")
        return
    walls = [run.wall_ns for run in baseline.executions if run.ended_by_itself]
    spread = (max(walls) - min(walls)) / baseline.wall_ns if len(walls) > 1 else OVERHEAD
    others = max(one.competing_load or 0.0 for one in (light, baseline))
    more = light.overhead - 1
    if more < max(OVERHEAD, SPREADS * spread) or others > BUSY:
        yield fine("Recording did not slow the run down.", overhead=light.overhead)
        return
    yield Answer(
        Severity.INFO,
        f"Recording the wait states made the run {share_text(more)} longer.",
        f"The undisturbed run took {time_text(baseline.wall_ns)}, this one"
        f" {time_text(light.wall_ns)}.",
        "Trust the order of the figures more than their size; compare times of the pass baseline.",
        evidence={"overhead": more, "spread": spread},
        cause=Cause.RECORDING,
    )


RULE = Rule("high-overhead", frozenset({Part.STATES, Part.BASELINE}), check)
