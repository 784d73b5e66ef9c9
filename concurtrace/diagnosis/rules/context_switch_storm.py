"""Cores change from thread to thread so often that the changes themselves cost.

Threads that hand each other tiny pieces of work, or fight for a lock, put each other to sleep and
wake each other thousands of times a second.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import count_text, time_text

PER_SECOND = Limits(10_000, 20_000)
"""Voluntary switches per second: JMC's limit informs. A switch and the cold cache after it cost
some microseconds, so twice as many take several percent of a core."""
COST_NS = 5_000
"""What a switch costs with the cold cache after it: a few microseconds on common machines."""
_WAITS = (State.LOCK_WAIT, State.CONDITION_WAIT, State.IO_WAIT, State.GIL_WAIT)


def check(case: Case) -> Iterable[Answer]:
    """Count how often threads went to sleep: from exact totals."""
    counts = {
        state: sum(one.totals[state].count for one in case.trace.threads if state in one.totals)
        for state in _WAITS
    }
    slept = _slept(case, sum(counts.values()))
    rate = slept / (case.wall_ns / 1e9)
    severity = PER_SECOND.judge(rate)
    if severity is Severity.OK:
        yield fine("Threads did not wake each other too often.", per_second=rate)
        return
    most = max(counts, key=lambda state: counts[state])
    waits = case.select(most)
    yield Answer(
        severity,
        f"Threads went to sleep {count_text(round(rate))} times a second, mostly in"
        f" {most.name}: {most.value}.",
        f"{time_text(case.wall_ns)} held {count_text(slept)} such waits.",
        "Hand on many items at once, let fewer threads share a lock, or do small pieces in place.",
        case.where(waits),
        case.window(waits),
        {"per_second": rate, **{state.name: count for state, count in counts.items()}},
        gain_ns=min(slept * COST_NS, case.wall_ns // 2),
        cause=Cause.WORK,
        thing="switches",
        explained_by=frozenset({Cause.GIL, Cause.LOCK, Cause.IO, Cause.QUEUE}),
    )


def _slept(case: Case, waits: int) -> int:
    """Return how many waits put a thread to sleep at most, by the kernel where it was asked.

    A call that could wait finds its data there more often than not: then nobody slept.
    """
    cores = case.recording.cores
    if cores is None:
        return waits
    return min(waits, sum(one.voluntary_switches for one in cores.processes))


RULE = Rule("context-switch-storm", frozenset({Part.STATES, Part.EXACT}), check)
