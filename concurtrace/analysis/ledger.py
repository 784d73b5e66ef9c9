"""One ledger of where the time of the cores went: work, or what the threads waited for instead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.crew import message_stacks
from concurtrace.model.comparison import Ledger, Spent
from concurtrace.model.spans import Times
from concurtrace.model.states import STATES, Reason, State
from concurtrace.model.trace import Trace

_OF_STATE = {
    State.RUNNING: Spent.RUNNING,
    State.RUNNING_NOGIL: Spent.RUNNING,
    State.RUNNABLE: Spent.READY,
    State.GIL_WAIT: Spent.GIL,
    State.GIL_BLOCKED: Spent.GIL,
    State.LOCK_WAIT: Spent.LOCKS,
    State.CONDITION_WAIT: Spent.SIGNALS,
    State.CHILD_WAIT: Spent.IDLE,
    State.IO_WAIT: Spent.IO,
    State.SLEEP: Spent.IO,
    State.STOPPED: Spent.IDLE,
    State.STARTING: Spent.START,
    State.UNKNOWN: Spent.IDLE,
}
_NO_WAIT = (Reason.JOIN, Reason.IDLE_WORKER, Reason.FUTURE)
"""Waits for the work to be done: a thread in one of these would not use a core."""
_TIERS = (
    (Spent.READY,),
    (Spent.GIL, Spent.LOCKS, Spent.IO, Spent.START),
    (Spent.SIGNALS,),
)
"""To what a core without work of the target is put down first: somebody else had it where a thread
was ready; who waits for another thread is explained by what that one waits for."""
_KINDS = tuple(Spent)
_LEAST_SAMPLES = 20
COLUMNS = 160
"""Into how many columns of equal time the course of a ledger is divided."""
_BATCH = 1 << 18
"""Moments looked at together: each takes some hundreds of bytes."""


def ledger(trace: Trace, cores: float) -> Ledger:
    """Divide wall time times cores among work and the waits that kept cores without any.

    At every instant a core either works for the target or not; those that do not are divided
    among the waiting threads, one each at most, by what they wait for.
    """
    whole = trace.wall_ns * cores
    if not whole:
        return Ledger(trace.wall_ns, cores, {})
    course = _course(trace, cores)
    course[_KINDS.index(Spent.IDLE)] += whole / COLUMNS - course.sum(axis=0)
    moved = course[_KINDS.index(Spent.RUNNING)] * _message_share(trace)
    course[_KINDS.index(Spent.RUNNING)] -= moved
    course[_KINDS.index(Spent.MESSAGES)] += moved
    spent = {one: round(ns) for one, ns in zip(_KINDS, course.sum(axis=1).tolist(), strict=True)}
    had = {one: ns for one, ns in spent.items() if ns > 0}
    rows = {one: np.rint(course[_KINDS.index(one)]).astype(int).tolist() for one in had}
    return Ledger(trace.wall_ns, cores, had, {one: tuple(row) for one, row in rows.items()})


def _course(trace: Trace, cores: float) -> NDArray[np.float64]:
    """Return the core time of every kind in every column of the run."""
    kind, start, end = _intervals(trace)
    times = np.unique(np.concatenate((start, end, [trace.start_ns, trace.end_ns])))
    borders = [
        (np.sort(start[kind == place]), np.sort(end[kind == place])) for place in range(len(_KINDS))
    ]
    edges = np.linspace(trace.start_ns, trace.end_ns, COLUMNS + 1)
    found = np.zeros((len(_KINDS), COLUMNS))
    for low in range(0, len(times) - 1, _BATCH):
        part = times[low : low + _BATCH + 1]
        counts = np.array(
            [
                np.searchsorted(began, part[:-1], "right")
                - np.searchsorted(ended, part[:-1], "right")
                for began, ended in borders
            ],
            np.float64,
        )
        spent = np.cumsum(_divide(counts, cores) * np.diff(part), axis=1)
        for place, sums in enumerate(spent):
            found[place] += np.diff(np.interp(edges, part, np.concatenate(([0.0], sums))))
    return found


def _divide(counts: NDArray[np.float64], cores: float) -> NDArray[np.float64]:
    """Divide the cores among the kinds, by how many threads there are of each."""
    running = counts[_KINDS.index(Spent.RUNNING)].copy()
    working = np.minimum(running, cores)
    # Where nobody saw the switches, more threads seem to run than there are cores.
    counts[_KINDS.index(Spent.READY)] += running - working
    free = cores - working
    spent = np.zeros(counts.shape)
    spent[_KINDS.index(Spent.RUNNING)] = working
    for tier in _TIERS:
        places = [_KINDS.index(one) for one in tier]
        waiting = counts[places].sum(axis=0)
        per = np.where(waiting > 0, np.minimum(free, waiting) / np.maximum(waiting, 1), 0.0)
        spent[places] = counts[places] * per
        free = free - per * waiting
    return spent


def _intervals(trace: Trace) -> tuple[NDArray[np.intp], Times, Times]:
    """List every span that says something of a core, with its kind, and the starts of processes."""
    spans = trace.spans
    kind_of = np.array([_KINDS.index(_OF_STATE[state]) for state in STATES], np.intp)
    kind = kind_of[spans.state]
    told = spans.in_state(State.IO_WAIT) & (spans.waker != 0)
    kind[told] = _KINDS.index(Spent.SIGNALS)
    kept = ~np.isin(spans.reason, [one.code for one in _NO_WAIT])
    kept &= kind != _KINDS.index(Spent.IDLE)
    starts = [
        (process.start_ns, min(one.start_ns for one in trace.threads_of(process)))
        for process in trace.processes
        if process.parent is not None and process.first < process.last
    ]
    began = np.array([a for a, b in starts if b > a], np.int64)
    came = np.array([b for a, b in starts if b > a], np.int64)
    many = np.full(len(began), _KINDS.index(Spent.START), np.intp)
    return (
        np.concatenate((kind[kept], many)),
        np.concatenate((spans.start_ns[kept], np.maximum(began, trace.start_ns))),
        np.concatenate((spans.end_ns[kept], np.minimum(came, trace.end_ns))),
    )


def _message_share(trace: Trace) -> float:
    """Return the share of the work that samples saw in the passing of messages."""
    samples = trace.samples
    if samples is None or len(samples) < _LEAST_SAMPLES or len(trace.processes) < 2:
        return 0.0
    working = np.isin(samples.state, [one.code for one in WORKING])
    inside = message_stacks(trace.stacks)[samples.stack]
    return float(inside[working].mean()) if working.any() else 0.0
