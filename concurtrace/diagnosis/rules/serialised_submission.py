"""A pool gets its work one piece at a time: each result is awaited before the next is submitted.

The pool then has one piece to do at any time, however many workers it has.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import Steps
from concurtrace.analysis.crew import pool_workers
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import count_text, share_text, time_text

WAITED = Limits(0.3, 0.5)
"""Share of the run that the submitting thread waits for results."""
AT_ONCE = 1.1
"""Mean number of workers that have something to do while any has, up to which they take turns."""
FEWEST = 5
"""Waits for results: fewer leave nothing to overlap."""
IDLE = 0.9
"""Share of the results after which no worker had anything to do when the submitting thread went on:
where pieces are submitted together a worker that is done begins the next meanwhile."""
WORTH = 0.1
"""Share of the run that could be won: below, waiting one after the other does no harm."""
_DOES = (
    State.RUNNING,
    State.RUNNING_NOGIL,
    State.RUNNABLE,
    State.GIL_WAIT,
    State.IO_WAIT,
    State.SLEEP,
    State.LOCK_WAIT,
)
_WAITS = (State.IO_WAIT, State.SLEEP)


def check(case: Case) -> Iterable[Answer]:
    """Compare waits for results with how many workers were busy at once."""
    trace, spans = case.trace, case.trace.spans
    waits = case.select(State.CONDITION_WAIT, Reason.FUTURE)
    rows = np.flatnonzero(pool_workers(trace)).tolist()
    idle = spans.reason == Reason.IDLE_WORKER.code
    mine = np.isin(trace.span_threads, rows)
    busy = spans.in_state(*_DOES) & mine & ~idle
    times = Steps.during(trace, busy).time_at()
    busy_ns = int(times[1:].sum())
    at_once = float((times * np.arange(len(times))).sum()) / busy_ns if busy_ns else 0.0
    waiters, counts = np.unique(trace.span_threads[waits], return_counts=True)
    most = int(counts.max()) if len(counts) else 0
    waited = int(spans.dur_ns[waits].sum())
    gain = _gain_ns(case, busy)
    severity = WAITED.judge(waited / case.wall_ns / max(len(waiters), 1))
    one_by_one = most >= FEWEST and 0 < at_once <= AT_ONCE and gain >= WORTH * case.wall_ns
    if severity is Severity.OK or not one_by_one or _idle_after(case, waits, busy) < IDLE:
        yield fine("Pools had several pieces of work at a time, or none.", at_once=at_once)
        return
    yield Answer(
        severity,
        f"A pool got its work one piece at a time: {count_text(int(waits.sum()))} results were"
        f" awaited for {time_text(waited)}, and never was a second piece under way.",
        f"On average {at_once:.2f} of {plural(len(rows), 'worker')} were busy while any was;"
        f" waiting for results took {share_text(waited / case.wall_ns)} of the run.",
        "Submit all pieces first and ask for the results afterwards: executor.map, as_completed,"
        " or a list of futures.",
        case.where(waits),
        case.window(waits),
        {"at_once": at_once, "waits": int(waits.sum()), "wait_ns": waited, "workers": len(rows)},
        gain_ns=gain,
        cause=Cause.POOL,
        thing="one by one",
    )


def _processes(case: Case) -> NDArray[np.intp]:
    rows = np.array([one.process for one in case.trace.threads], np.intp)
    return rows[case.trace.span_threads]


def _idle_after(case: Case, waits: NDArray[np.bool_], busy: NDArray[np.bool_]) -> float:
    """Return after which share of the waits no worker was under way when the waiter ran again.

    In the waiter's own process only what sleeps is: a worker that runs may yet be finishing.
    """
    spans, process = case.trace.spans, _processes(case)
    ended = np.flatnonzero(waits)
    runs = np.flatnonzero(spans.in_state(State.RUNNING))
    place = np.searchsorted(runs, ended)
    ended, place = ended[place < len(runs)], place[place < len(runs)]
    elsewhere = ~np.isin(process, process[ended])
    under_way = Steps.during(case.trace, busy & (elsewhere | spans.in_state(*_WAITS)))
    at = np.searchsorted(under_way.times_ns, spans.start_ns[runs[place]], side="right") - 1
    return float((under_way.count[at] == 0).mean()) if len(at) else 0.0


def _gain_ns(case: Case, busy: NDArray[np.bool_]) -> int:
    """Bound what overlapping brings: waits pass side by side, work without the GIL on all cores."""
    spans = case.trace.spans
    asleep = busy & spans.in_state(*_WAITS)
    free = busy & spans.in_state(State.RUNNING_NOGIL)
    lasted = spans.dur_ns[asleep]
    ways = max(case.cores, 1.0)
    overlaps = int(lasted.sum()) - int(lasted.max(initial=0))
    if len(np.unique(_processes(case)[busy])) > 1:
        free |= busy & spans.in_state(State.RUNNING)
    return overlaps + round(int(spans.dur_ns[free].sum()) * (1 - 1 / ways))


RULE = Rule("serialised-submission", frozenset({Part.STATES, Part.EXACT}), check)
