"""One ledger of where the time of the cores went: work, or what the threads waited for instead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.crew import message_stacks
from concurtrace.model.comparison import Ledger, Spent
from concurtrace.model.states import STATES, Reason, State
from concurtrace.model.trace import Times, Trace

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


def ledger(trace: Trace, cores: float) -> Ledger:
    """Divide wall time times cores among work and the waits that kept cores without any.

    At every instant a core either works for the target or not; those that do not are divided
    among the waiting threads, one each at most, by what they wait for.
    """
    whole = trace.wall_ns * cores
    if not whole:
        return Ledger(trace.wall_ns, cores, {})
    kind, start, end = _intervals(trace)
    times = np.unique(np.concatenate((start, end, [trace.start_ns, trace.end_ns])))
    length = np.diff(times)
    first, last = np.searchsorted(times, start), np.searchsorted(times, end)
    counts = np.zeros((len(_KINDS), len(length)))
    for place in range(len(_KINDS)):
        mine = kind == place
        change = np.bincount(first[mine], minlength=len(times)).astype(np.int64)
        change -= np.bincount(last[mine], minlength=len(times))
        counts[place] = np.cumsum(change)[:-1]
    spent = _divide(counts, length, cores)
    spent[_KINDS.index(Spent.IDLE)] += whole - spent.sum()
    found = {one: round(ns) for one, ns in zip(_KINDS, spent.tolist(), strict=True)}
    moved = round(found[Spent.RUNNING] * _message_share(trace))
    found[Spent.RUNNING] -= moved
    found[Spent.MESSAGES] += moved
    return Ledger(trace.wall_ns, cores, {one: ns for one, ns in found.items() if ns > 0})


def _divide(counts: NDArray[np.float64], length: Times, cores: float) -> NDArray[np.float64]:
    running = counts[_KINDS.index(Spent.RUNNING)].copy()
    working = np.minimum(running, cores)
    # Where nobody saw the switches, more threads seem to run than there are cores.
    counts[_KINDS.index(Spent.READY)] += running - working
    free = cores - working
    spent = np.zeros(len(_KINDS))
    spent[_KINDS.index(Spent.RUNNING)] = float((working * length).sum())
    for tier in _TIERS:
        places = [_KINDS.index(one) for one in tier]
        waiting = counts[places].sum(axis=0)
        per = np.where(waiting > 0, np.minimum(free, waiting) / np.maximum(waiting, 1), 0.0)
        spent[places] = (counts[places] * per * length).sum(axis=1)
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
