"""The critical path: the chain of work and waits that decided how long the run took.

Walked backwards from the end of the first thread: while a thread works, or waits for something
that no thread of the target brings (a core, the GIL, a peer, a timer), the path stays on it; where
a wait was ended by another thread, the path goes on there, at that moment. A thread's start leads
to its creator. After Perfetto's wake-up graph (stdlib/sched/thread_executing_span.sql).
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.places import Places
from concurtrace.model.report import PathStep
from concurtrace.model.spans import SpanFlag, Times
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import Trace

_HANDED_ON = (State.LOCK_WAIT, State.CONDITION_WAIT, State.CHILD_WAIT, State.IO_WAIT)
_END = -1
_MOST_COUNTED = 1 << 20

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CriticalPath:
    """Pieces of the path in order of time: thread ``row``, from ``start_ns`` to ``end_ns``.

    ``wait`` is the span of another thread that the end of the piece ended, -1 where it started
    that thread or is the end. ``span`` and ``span_ns`` list the spans that lie on the path and
    how much of each does.
    """

    row: Rows
    start_ns: Times
    end_ns: Times
    wait: Rows
    span: Rows
    span_ns: Times

    @property
    def length_ns(self) -> int:
        """How long the path is: the run, less what its start did not record."""
        return int((self.end_ns - self.start_ns).sum())


def critical_path(trace: Trace) -> CriticalPath:
    """Walk the critical path of a trace; linear in its spans."""
    first = first_thread(trace)
    if first is None:
        none = np.empty(0, np.intp)
        return CriticalPath(none, none, none, none, none, none)
    hops = _Hops(trace)
    row, start, end, wait = hops.walk(first)
    span, span_ns = _spans_on(trace, row, start, end)
    return CriticalPath(row, start, end, wait, span, span_ns)


def first_thread(trace: Trace) -> int | None:
    """The main thread of the first process, else the thread that ended last."""
    lives = [row for row, one in enumerate(trace.threads) if one.lifetime_ns > 0]
    main = [
        row
        for row in lives
        if trace.threads[row].is_main and trace.processes[trace.threads[row].process].parent is None
    ]
    return max(main or lives, key=lambda row: trace.threads[row].end_ns, default=None)


class _Keys:
    """Times of all threads on one axis, one thread after the other."""

    def __init__(self, trace: Trace) -> None:
        self._zero = trace.start_ns
        self._length = trace.wall_ns + 2

    def of(self, rows: Rows, times_ns: Times) -> Times:
        """Place times of threads on the axis."""
        found: Times = rows.astype(np.int64) * self._length + (times_ns - self._zero)
        return found


class _Hops:
    """The waits that lead elsewhere, each with the hop that comes before it there."""

    def __init__(self, trace: Trace) -> None:
        spans = trace.spans
        self._trace, self._keys = trace, _Keys(trace)
        waits = np.flatnonzero(
            spans.in_state(*_HANDED_ON)
            & (spans.waker != 0)
            & ((spans.flags & SpanFlag.TIMED_OUT) == 0)
        )
        towards = trace.rows_of(spans.waker[waits], spans.end_ns[waits])
        mine = trace.span_threads[waits]
        known = (towards >= 0) & (towards != mine)
        self.wait: Rows = waits[known]
        self.towards: Rows = towards[known]
        ends = spans.end_ns[self.wait]
        self._at = self._keys.of(mine[known].astype(np.intp), ends)
        self.before = self._last(self.towards, ends)

    def _last(self, rows: Rows, times_ns: Times) -> Rows:
        """Find the last hop of a thread that ends before a time; -1 if there is none."""
        if not len(self._at):
            return np.full(len(rows), _END, np.intp)
        found = np.searchsorted(self._at, self._keys.of(rows, times_ns), side="left") - 1
        lowest = self._keys.of(rows, np.full(len(rows), self._trace.start_ns))
        good = (found >= 0) & (self._at[np.maximum(found, 0)] >= lowest)
        return np.where(good, found, _END)

    def walk(self, first: int) -> tuple[Rows, Times, Times, Rows]:
        """Follow the hops back from the end of a thread; return the pieces in order of time."""
        trace = self._trace
        chains = []
        row, now = first, trace.threads[first].end_ns
        # The very last thing may be a wait that ends with the thread.
        hop = self._hop(row, now + 1)
        while True:
            chains.append(self._chain(row, now, hop))
            rows, starts, stops, _ = chains[-1]
            row, start = int(rows[-1]), int(starts[-1])
            creator = creator_of(trace, row)
            if creator is None or start >= stops[-1] or start <= trace.start_ns:
                break
            row, now = creator, start
            hop = self._hop(row, now)
        rows, starts, stops, waits = (
            np.concatenate(column)[::-1] for column in zip(*chains, strict=True)
        )
        return rows, starts, stops, waits

    def _chain(self, row: int, now: int, hop: int) -> tuple[Rows, Times, Times, Rows]:
        """Follow one hop after the other from a time of a thread; the pieces, latest first."""
        # Packed, and read without making NumPy numbers: a path may have millions of hops.
        found, before = array("q"), array("q", self.before.tobytes())
        while hop != _END:
            found.append(hop)
            hop = before[hop]
        hops = np.array(found, np.intp)
        ends = self._trace.spans.end_ns[self.wait[hops]]
        rows = np.concatenate(([row], self.towards[hops])).astype(np.intp)
        stops = np.concatenate(([now], ends))
        last = min(self._trace.threads[int(rows[-1])].start_ns, int(stops[-1]))
        starts = np.concatenate((ends, [last]))
        waits = np.concatenate(([_END], self.wait[hops])).astype(np.intp)
        return rows, starts, stops, waits

    def _hop(self, row: int, now: int) -> int:
        return int(self._last(np.array([row]), np.array([now], np.int64))[0])


def creator_of(trace: Trace, row: int) -> int | None:
    """Return the row of the thread that started another; None where it is not known."""
    thread = trace.threads[row]
    process = trace.processes[thread.process]
    tid = (process.creator_tid or process.parent_pid) if thread.is_main else thread.creator_tid
    found = trace.rows_of(np.array([tid], np.uint32), np.array([thread.start_ns], np.int64))
    return int(found[0]) if found[0] >= 0 and found[0] != row else None


def _spans_on(trace: Trace, rows: Rows, start_ns: Times, end_ns: Times) -> tuple[Rows, Times]:
    """List the spans that pieces of threads cover, and how much of each."""
    keys, spans = _Keys(trace), trace.spans
    mine = trace.span_threads.astype(np.intp)
    low = np.searchsorted(keys.of(mine, spans.end_ns), keys.of(rows, start_ns), side="right")
    high = np.searchsorted(keys.of(mine, spans.start_ns), keys.of(rows, end_ns), side="left")
    many = np.maximum(high - low, 0)
    piece = np.repeat(np.arange(len(rows)), many)
    offset = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
    found = low[piece] + offset
    covered = np.minimum(spans.end_ns[found], end_ns[piece]) - np.maximum(
        spans.start_ns[found], start_ns[piece]
    )
    return found, covered


def path_steps(
    trace: Trace,
    path: CriticalPath,
    kept: int = 100,
    told: Mapping[int, str] | None = None,
) -> tuple[PathStep, ...]:
    """Sum the path up by state, thread and place, the longest first.

    ``told`` names the place of some spans better than the stack of the thread does.
    """
    told = told or {}
    spans, places = trace.spans, Places(trace.stacks)
    apart = np.isin(path.span, list(told))
    sums: dict[tuple[State, int, str], int] = {}
    for span, ns in zip(path.span[apart].tolist(), path.span_ns[apart].tolist(), strict=True):
        tid = trace.threads[int(trace.span_threads[span])].tid
        step = STATES[int(spans.state[span])], tid, told[span]
        sums[step] = sums.get(step, 0) + int(ns)
    path = replace(path, span=path.span[~apart], span_ns=path.span_ns[~apart])
    stacks = max(len(trace.stacks.parent), 1)
    key = spans.state[path.span].astype(np.int64) * len(trace.threads)
    key += trace.span_threads[path.span]
    key *= stacks
    key += spans.stack[path.span]
    groups, times = _sums_by(key, path.span_ns, len(STATES) * len(trace.threads) * stacks)
    for group, ns in zip(groups.tolist(), times.tolist(), strict=True):
        group, stack = divmod(group, stacks)
        state, row = divmod(group, len(trace.threads))
        step = STATES[state], trace.threads[row].tid, places.of(stack) or ""
        sums[step] = sums.get(step, 0) + int(ns)
    ranked = sorted(sums.items(), key=lambda one: (-one[1], one[0][1], one[0][2]))
    return tuple(PathStep(state, tid, where, ns) for (state, tid, where), ns in ranked[:kept])


def _sums_by(key: Times, weights: Times, keys: int) -> tuple[Times, Times]:
    """Add weights up by key, each below ``keys``; the keys that occur and their sums."""
    if keys <= max(_MOST_COUNTED, len(key)):
        sums = np.bincount(key, weights, keys)
        groups = np.flatnonzero(np.bincount(key, minlength=keys)).astype(np.int64)
        return groups, sums[groups].astype(np.int64)
    # Sorting takes ten times as long, but no room for keys that never occur.
    groups, inverse = np.unique(key, return_inverse=True)
    return groups, np.bincount(inverse, weights, len(groups)).astype(np.int64)


def ns_by_state(trace: Trace, path: CriticalPath) -> dict[State, int]:
    """Add up the path by state."""
    sums = np.bincount(trace.spans.state[path.span], path.span_ns, len(STATES))
    return {state: int(sums[state.code]) for state in STATES if sums[state.code]}


def handed_on_ns(trace: Trace, path: CriticalPath) -> Times:
    """Measure for every object how long the path was kept by who had it while another waited."""
    hops = path.wait >= 0
    waits = path.wait[hops]
    since = np.maximum(trace.spans.start_ns[waits], path.start_ns[hops])
    until = np.minimum(trace.spans.end_ns[waits], path.end_ns[hops])
    sums = np.bincount(trace.spans.object[waits], np.maximum(until - since, 0), len(trace.objects))
    found: Times = sums.astype(np.int64)
    return found
