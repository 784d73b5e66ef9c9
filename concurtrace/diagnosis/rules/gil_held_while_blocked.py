"""A call sleeps in the kernel without letting go of the GIL.

Whoever waits should let others run meanwhile. A binding that forgets to release the GIL around a
blocking call stops every Python thread of its process for as long as the call sleeps.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.contention import overlap_ns
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.pages import asleep_for_pages
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import time_text

LEAST_NS = 5_000_000
"""A switch interval: what is shorter no other thread would have asked for."""
SHARE = Limits(0.01, 0.05)
"""Share of the run in which other threads waited for a GIL whose holder slept: should be 0."""


def check(case: Case) -> Iterable[Answer]:
    """Measure sleep with the GIL held, and who waited for it meanwhile."""
    # Sleep for pages of memory is no call's.
    slept = case.select(State.GIL_BLOCKED) & ~asleep_for_pages(case)
    slept_ns = int(case.trace.spans.dur_ns[slept].sum())
    if slept_ns < LEAST_NS:
        yield fine("No call slept while it held the GIL.", slept_ns=slept_ns)
        return
    if not _beside_others(case, slept):
        yield fine("No process of several threads slept with its GIL held.", slept_ns=slept_ns)
        return
    waited = overlap_ns(case.trace, slept, case.select(State.GIL_WAIT))
    severity = SHARE.judge(waited / case.wall_ns)
    if severity is Severity.OK:
        severity = Severity.INFO
    where = case.where(slept)
    call = where[0] if where else "A call"
    yield Answer(
        severity,
        f"{call} slept for {time_text(slept_ns)} without letting go of the GIL, in"
        f" {plural(int(slept.sum()), 'call')}.",
        f"Other threads waited for the GIL during {time_text(waited)} of that."
        if waited
        else "No other thread wanted the GIL meanwhile; one that does would stand still.",
        "Release the GIL around the call (Py_BEGIN_ALLOW_THREADS, nogil, ctypes.CDLL rather than"
        " PyDLL), or call something that does.",
        where,
        case.window(slept),
        {
            "slept_ns": slept_ns,
            "waited_ns": waited,
            "calls": int(slept.sum()),
        },
        gain_ns=waited,
        cause=Cause.GIL,
    )


def _beside_others(case: Case, spans: NDArray[np.bool_]) -> bool:
    """Tell whether some spans are of a process in which another thread could want the GIL."""
    rows = np.unique(case.trace.span_threads[spans]).tolist()
    processes = {case.trace.threads[row].process for row in rows}
    return any(
        sum(one.runs_python for one in case.trace.threads_of(case.trace.processes[process])) > 1
        for process in processes
    )


RULE = Rule(
    "gil-held-while-blocked",
    frozenset({Part.STATES, Part.EXACT, Part.GIL}),
    check,
    refines=frozenset({"gil-saturation", "gil-convoy", "long-gil-hold", "negative-scaling"}),
)
