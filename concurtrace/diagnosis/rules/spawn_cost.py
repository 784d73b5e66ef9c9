"""Starting and ending processes takes a large part of the run.

A new process is a copy of its parent, or a new interpreter that imports everything again. One that
does little more than start is slower than doing the work in place.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.gil import covered_ns
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.trace import Process, Trace
from concurtrace.units import count_text, share_text, time_text

SHARE = Limits(0.1, 0.25)
"""Share of the run in which some child was being started or ended."""
FEWEST = 4
"""Children: fewer are a crew that is started once."""
WORTH = 5
"""A child should work five times what its start takes."""
INTERPRETER_NS = 100_000_000
"""What a fresh interpreter (spawn) does before it comes to its work: 0.1 s to 0.3 s of CPU time,
which its own wait states can't tell from the work."""


def check(case: Case) -> Iterable[Answer]:
    """Compare what children took to come up with what they did."""
    trace = case.trace
    children = [
        one
        for one in trace.processes
        if one.parent is not None and one.first < one.last and one.end_ns > one.start_ns
    ]
    if len(children) < FEWEST:
        yield fine("Few processes were started.", processes=len(children))
        return
    starts = np.array([_start_ns(trace, one) for one in children], np.int64)
    used = np.array(
        [sum(case.cpu_of(thread) for thread in trace.threads_of(one)) for one in children]
    )
    begun = np.array([one.start_ns for one in children], np.int64)
    ended = np.array([one.end_ns for one in children], np.int64)
    # Ending one, and noticing it, takes about as long as starting one.
    busy = np.minimum(begun + 2 * starts, ended)
    taken = covered_ns(begun, busy)
    poor = float((used < WORTH * starts).mean())
    severity = SHARE.judge(taken / case.wall_ns)
    if severity is Severity.OK or poor < 0.5:
        yield fine("Processes did much more than start.", share=taken / case.wall_ns)
        return
    methods = ", ".join(sorted({one.started_by for one in children}))
    typical = int(np.median(starts))
    yield Answer(
        severity,
        f"{count_text(len(children))} processes were started ({methods}), each taking"
        f" {time_text(typical)} to come up: {share_text(taken / case.wall_ns)} of the run.",
        f"Half of them used the CPU for less than {time_text(int(np.median(used)))}.",
        "Start a pool once and hand it the work; give each process more to do; or use threads for"
        " what mostly waits.",
        case.sampled([0]),
        (int(begun.min()) - case.whole.start_ns, int(ended.max()) - case.whole.start_ns),
        {
            "processes": len(children),
            "start_ns": typical,
            "taken_ns": taken,
            "median_cpu_ns": int(np.median(used)),
        },
        gain_ns=taken,
        cause=Cause.START,
        thing="processes",
    )


def _start_ns(trace: Trace, process: Process) -> int:
    """Return how long a process took until its first thread was there, and able to work."""
    first = min(one.start_ns for one in trace.threads_of(process))
    fresh = INTERPRETER_NS if process.started_by == "spawn" else 0
    return min(max(0, first - process.start_ns) + fresh, process.end_ns - process.start_ns)


RULE = Rule("spawn-cost", frozenset({Part.STATES, Part.EXACT}), check)
