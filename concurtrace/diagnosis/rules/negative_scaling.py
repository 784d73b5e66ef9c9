"""Several threads take longer than one would.

Where the GIL is the limit, handing it from thread to thread costs time of its own: the work takes
longer than all of it on one core.
"""

from collections.abc import Iterable

from concurtrace.analysis.contention import gils
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import count_text, time_text

LOST = Limits(0.1, 0.3)
"""Share by which the run is longer than its CPU time; a tenth is within the spread of a run."""
SATURATED = 0.8
"""Share of the time the GIL is held from which threads do the work of one."""
RUNNER = 0.1
"""A thread that wanted the GIL for less of the time is none of those that compete."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the time in which the GIL was wanted with the CPU time that came of it."""
    gil = gils(case.trace)[0]
    runners = [
        one
        for one in gil.threads
        if one.ns(State.RUNNING, State.GIL_WAIT) > RUNNER * gil.life_ns
        and one.ns(State.GIL_WAIT) > RUNNER / 2 * gil.life_ns
    ]
    used = sum(case.cpu_of(one) for one in case.trace.threads if one.process == gil.process)
    # What the target waited for a core is no cost of switching.
    lost = case.wall_ns - used - case.ready_ns
    if len(runners) < 2 or gil.held < SATURATED or lost <= 0:
        yield fine("Threads did not take longer than one would.", cpu_ns=used)
        return
    severity = LOST.judge(lost / max(used, 1))
    if severity is Severity.OK:
        yield fine("Threads took about as long as one would.", cpu_ns=used, lost_ns=lost)
        return
    handed = sum(one.gil.waits for one in gil.threads)
    yield Answer(
        severity,
        f"{plural(len(runners), 'thread')} took {time_text(case.wall_ns)} for"
        f" {time_text(used)} of CPU time; one thread would be faster.",
        f"The GIL changed hands {count_text(handed)} times.",
        "Do the work in one thread, or in processes.",
        case.sampled(case.rows(runners)),
        case.window(case.select(State.GIL_WAIT)),
        {"wall_ns": case.wall_ns, "cpu_ns": used, "lost_ns": lost, "handed_over": handed},
        gain_ns=lost,
        cause=Cause.GIL,
    )


RULE = Rule("negative-scaling", frozenset({Part.STATES, Part.GIL, Part.READY}), check)
