"""Cut a trace to a window: the work itself, without the start and the end of the interpreter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import OnCore, SpanFlag, Spans, Times
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import GilUse, StateTotal, Thread, Trace

_LOOKED_AT = 100_000
"""Spans that are looked at to find where the middle of a trace is."""
_ON_CORE = (State.RUNNING, State.RUNNING_NOGIL)


def clip(trace: Trace, start_ns: int, end_ns: int) -> Trace:
    """Cut a trace to [start_ns, end_ns).

    Totals stay exact but for folded spans: of those, the share of their window that lies outside
    is taken off. Threads that did not live in the window stay, with a life of nothing.
    """
    if start_ns <= trace.start_ns and end_ns >= trace.end_ns:
        return trace
    start_ns, end_ns = max(start_ns, trace.start_ns), min(end_ns, trace.end_ns)
    spans = trace.spans
    kept = (spans.end_ns > start_ns) & (spans.start_ns < end_ns)
    inside = spans.take(kept)
    cut = replace(
        inside,
        start_ns=np.maximum(inside.start_ns, start_ns),
        end_ns=np.minimum(inside.end_ns, end_ns),
    )
    before = np.concatenate(([0], np.cumsum(kept)))
    outside = _Outside(trace, start_ns, end_ns)
    threads = tuple(
        replace(
            outside.without(row, one),
            first=int(before[one.first]),
            last=int(before[one.last]),
            start_ns=min(max(one.start_ns, start_ns), end_ns),
            end_ns=max(min(one.end_ns, end_ns), start_ns),
        )
        for row, one in enumerate(trace.threads)
    )
    processes = tuple(
        replace(
            one,
            start_ns=min(max(one.start_ns, start_ns), end_ns),
            end_ns=max(min(one.end_ns, end_ns), start_ns),
        )
        for one in trace.processes
    )
    return replace(
        trace,
        spans=cut,
        threads=threads,
        processes=processes,
        start_ns=start_ns,
        end_ns=end_ns,
        folds=trace.folds.take((trace.folds.end_ns > start_ns) & (trace.folds.start_ns < end_ns)),
        on_core=_cut_on_core(trace, start_ns, end_ns),
        samples=trace.samples
        and trace.samples.take(
            (trace.samples.time_ns >= start_ns) & (trace.samples.time_ns < end_ns)
        ),
    )


def middle(trace: Trace, most: int) -> Trace:
    """Cut out the middle of a trace, about ``most`` spans of it, with totals of these alone.

    Cheap where ``clip`` is not: for a trace of very many spans.
    """
    spans = trace.spans
    some = spans.start_ns[:: max(1, len(spans) // _LOOKED_AT)]
    half = min(0.5, most / max(len(spans), 1) / 2)
    low, high = np.quantile(some, (0.5 - half, 0.5 + half)).astype(np.int64).tolist()
    kept = np.flatnonzero((spans.end_ns > low) & (spans.start_ns < high))
    part = spans.take(kept)
    part = replace(
        part, start_ns=np.maximum(part.start_ns, low), end_ns=np.minimum(part.end_ns, high)
    )
    borders = [*(one.first for one in trace.threads), len(spans)]
    first = np.searchsorted(kept, borders)
    rows = np.repeat(np.arange(len(trace.threads), dtype=np.uint32), np.diff(first))
    sums = _table(len(trace.threads), rows, part.state, part.dur_ns)
    threads = tuple(
        _thread_within(one, (low, high), (int(first[row]), int(first[row + 1])), sums[row])
        for row, one in enumerate(trace.threads)
    )
    folds = trace.folds.take((trace.folds.end_ns > low) & (trace.folds.start_ns < high))
    return replace(
        trace, spans=part, threads=threads, start_ns=low, end_ns=high, folds=folds, samples=None
    )


def _thread_within(
    one: Thread, times: tuple[int, int], rows: tuple[int, int], sums: NDArray[np.int64]
) -> Thread:
    totals = {STATES[code]: StateTotal(int(sums[code]), 1) for code in np.flatnonzero(sums)}
    worked = one.ns(*_ON_CORE)
    still = sum(totals[state].ns for state in _ON_CORE if state in totals)
    return replace(
        one,
        first=rows[0],
        last=rows[1],
        start_ns=min(max(one.start_ns, times[0]), times[1]),
        end_ns=max(min(one.end_ns, times[1]), times[0]),
        totals=totals,
        cpu_ns=round(one.cpu_ns * still / worked) if one.cpu_ns and worked else one.cpu_ns,
    )


def _cut_on_core(trace: Trace, start_ns: int, end_ns: int) -> OnCore | None:
    on = trace.on_core
    if on is None:
        return None
    part = on.take((on.end_ns > start_ns) & (on.start_ns < end_ns))
    return replace(
        part,
        start_ns=np.maximum(part.start_ns, start_ns),
        end_ns=np.minimum(part.end_ns, end_ns),
    )


class _Outside:
    """What every thread did outside a window."""

    def __init__(self, trace: Trace, start_ns: int, end_ns: int) -> None:
        spans, folds = trace.spans, trace.folds
        lost = spans.dur_ns - _overlap(spans.start_ns, spans.end_ns, start_ns, end_ns)
        count = len(trace.threads)
        rows = trace.span_threads
        self._ns = _table(count, rows, spans.state, lost)
        gone = (lost == spans.dur_ns) & (lost > 0)
        self._count = _table(count, rows, spans.state, gone.astype(np.int64))
        length = np.maximum(folds.end_ns - folds.start_ns, 1)
        share = 1 - _overlap(folds.start_ns, folds.end_ns, start_ns, end_ns) / length
        folded = (folds.ns * share).astype(np.int64)
        self._folded = _table(count, folds.thread, folds.state, folded)
        many = (folds.count * share).astype(np.int64)
        self._folded_count = _table(count, folds.thread, folds.state, many)
        held = (spans.flags & SpanFlag.GIL_HELD) != 0
        self._held = np.bincount(rows, np.where(held, lost, 0), count).astype(np.int64)

    def without(self, row: int, thread: Thread) -> Thread:
        """Take off a thread what lies outside."""
        totals: dict[State, StateTotal] = {}
        for state, total in thread.totals.items():
            folded = int(self._folded[row, state.code])
            many = int(self._folded_count[row, state.code])
            ns = total.ns - int(self._ns[row, state.code]) - folded
            if ns > 0:
                totals[state] = StateTotal(
                    ns,
                    max(1, total.count - int(self._count[row, state.code]) - many),
                    max(0, total.folded_ns - folded),
                    max(0, total.folded_count - many),
                )
        ran = thread.ns(*_ON_CORE)
        still = sum(totals[state].ns for state in _ON_CORE if state in totals)
        cpu_ns = thread.cpu_ns
        if cpu_ns is not None and ran:
            cpu_ns = round(cpu_ns * still / ran)
        return replace(thread, totals=totals, gil=self._gil(row, thread, totals), cpu_ns=cpu_ns)

    def _gil(self, row: int, thread: Thread, totals: dict[State, StateTotal]) -> GilUse:
        waited = totals.get(State.GIL_WAIT)
        return replace(
            thread.gil,
            held_ns=max(0, thread.gil.held_ns - int(self._held[row])),
            wait_ns=waited.ns if waited else 0,
            waits=waited.count if waited else 0,
        )


def _overlap(start: Times, end: Times, from_ns: int, to_ns: int) -> Times:
    found: Times = np.maximum(np.minimum(end, to_ns) - np.maximum(start, from_ns), 0)
    return found


def _table(
    count: int, rows: NDArray[np.uint32], states: NDArray[np.uint8], weights: Times
) -> NDArray[np.int64]:
    keys = rows.astype(np.int64) * len(STATES) + states
    flat = np.bincount(keys, weights, count * len(STATES))
    return flat.astype(np.int64).reshape(count, len(STATES))


def spans_by_thread(trace: Trace, mask: NDArray[np.bool_]) -> Times:
    """Add up the time of some spans for every thread."""
    spans: Spans = trace.spans
    sums = np.bincount(trace.span_threads[mask], spans.dur_ns[mask], len(trace.threads))
    found: Times = sums.astype(np.int64)
    return found
