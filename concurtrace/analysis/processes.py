"""What processes cost: coming up, passing messages, and waiting for each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.crew import import_stacks, message_stacks, sending_stacks
from concurtrace.analysis.places import Places
from concurtrace.analysis.sampled import sampled_work
from concurtrace.model.process_report import (
    Exchange,
    MessageTimes,
    Phases,
    ProcessCost,
    ProcessesReport,
)
from concurtrace.model.spans import Numbers, SpanFlag
from concurtrace.model.states import REASONS, STATES, State
from concurtrace.model.trace import ObjectKind, Process, Trace

_SHARED = (ObjectKind.PIPE, ObjectKind.UNIX, ObjectKind.MP_LOCK)
"""Things through which processes of one machine meet."""
_EXCHANGES = 2_000
_LEAST_SAMPLES = 20
"""Samples of a run: fewer say little about where time went."""


def processes_report(trace: Trace) -> ProcessesReport:
    """Work out what there is to tell of the processes of a trace."""
    messages = _messages(trace)
    costs = tuple(
        ProcessCost(row, one.parent, _phases(trace, one), messages.get(row))
        for row, one in enumerate(trace.processes)
    )
    samples = 0 if trace.samples is None else len(trace.samples)
    return ProcessesReport(samples, costs, _exchanges(trace) if len(costs) > 1 else ())


def _phases(trace: Trace, one: Process) -> Phases:
    threads = trace.threads_of(one)
    zero = trace.start_ns
    first = min((thread.start_ns for thread in threads), default=None)
    python = one.python_ns if first is None or one.python_ns is None else max(one.python_ns, first)
    work = one.work_ns if python is None or one.work_ns is None else max(one.work_ns, python)
    first, python, work = (None if ns is None else ns - zero for ns in (first, python, work))
    return Phases(one.start_ns - zero, first, python, work, one.end_ns - zero)


def _messages(trace: Trace) -> dict[int, MessageTimes]:
    """Weigh the samples of every process that saw messages passed, or modules imported."""
    if trace.samples is None or len(trace.samples) < _LEAST_SAMPLES:
        return {}
    work = sampled_work(trace)
    rows = np.array([one.process for one in trace.threads], np.int64)[work.thread]
    sending = sending_stacks(trace.stacks)
    receiving = message_stacks(trace.stacks) & ~sending
    many = len(trace.processes)

    def weigh(chosen: NDArray[np.bool_]) -> list[int]:
        sums = np.bincount(rows, work.ns * chosen[work.stack], many)
        return [round(ns) for ns in sums.tolist()]

    columns = zip(weigh(sending), weigh(receiving), weigh(import_stacks(trace.stacks)), strict=True)
    return {row: MessageTimes(*three) for row, three in enumerate(columns)}


def _exchanges(trace: Trace) -> tuple[Exchange, ...]:
    """Add up the waits at what processes share, and for children, by process and thing."""
    spans = trace.spans
    shared = np.array([one.kind in _SHARED for one in trace.objects], bool)[spans.object]
    kinds = spans.in_state(State.IO_WAIT, State.CONDITION_WAIT, State.LOCK_WAIT)
    chosen = (kinds & shared) | spans.in_state(State.CHILD_WAIT)
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return ()
    process_of = np.array([one.process for one in trace.threads], np.int64)
    writing = (spans.flags[rows] & SpanFlag.WRITE) != 0
    keys = process_of[trace.span_threads[rows]]
    places = _place_numbers(trace, spans.stack[rows])
    sizes = (len(trace.objects), len(STATES), len(REASONS), 2, len(trace.stacks.parent))
    columns = (spans.object[rows], spans.state[rows], spans.reason[rows], writing, places)
    for size, column in zip(sizes, columns, strict=True):
        keys = keys * size + column
    found, inverse = np.unique(keys, return_inverse=True)
    lengths = spans.dur_ns[rows]
    sums = np.bincount(inverse, lengths, len(found)).astype(np.int64)
    counts = np.bincount(inverse, minlength=len(found))
    order = np.lexsort((lengths, inverse))
    longest = rows[order[np.cumsum(counts) - 1]]
    names = Places(trace.stacks)
    return tuple(
        _exchange(trace, int(found[at]), int(counts[at]), int(sums[at]), int(longest[at]), names)
        for at in np.argsort(-sums, kind="stable")[:_EXCHANGES].tolist()
    )


def _place_numbers(trace: Trace, stacks: Numbers) -> NDArray[np.int64]:
    """Tell for every stack the first of those that lead to the same place."""
    places, first = Places(trace.stacks), dict[str | None, int]()
    found = np.zeros(len(trace.stacks.parent), np.int64)
    for stack in np.unique(stacks).tolist():
        found[stack] = first.setdefault(places.of(stack), stack)
    numbers: NDArray[np.int64] = found[stacks]
    return numbers


def _exchange(
    trace: Trace, key: int, waits: int, ns: int, longest: int, places: Places
) -> Exchange:
    key //= len(trace.stacks.parent)
    key, writing = divmod(key, 2)
    key, reason = divmod(key, len(REASONS))
    key, state = divmod(key, len(STATES))
    process, thing = divmod(key, len(trace.objects))
    return Exchange(
        row=process,
        object=thing,
        kind=trace.objects[thing].kind,
        state=STATES[state],
        reason=REASONS[reason],
        writing=bool(writing),
        waits=waits,
        ns=ns,
        longest=longest,
        where=places.of(int(trace.spans.stack[longest])) or "",
    )
