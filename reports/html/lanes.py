"""Lay a trace out as lanes of intervals: threads, GILs, other programs, critical path, cores.

Intervals of a lane follow each other without a gap, so a lane is its first tick and durations.
Boundaries are rounded, never durations: nothing drifts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.report import PathPieces
from concurtrace.model.spans import NO_CORE, SpanFlag, Times
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import Process, Thread, Trace
from concurtrace.units import NS_PER_S

Numbers = NDArray[np.integer[Any]]

REASONS = 64
"""More than there are reasons: a kind is ``state * REASONS + reason``."""
MOST = 10_000_000
"""Intervals that are drawn at most; of more, the shortest are folded, and the page says so."""
_TICKS = ((420 * NS_PER_S, 100), (4_200 * NS_PER_S, 1_000))
_LONGEST_TICK = 10_000
_AT_ONCE = 1_000_000
"""Spans whose wakers are looked up together: what that takes is not needed for all at once."""


class Extra(IntEnum):
    """What is drawn beside the states, with codes that follow theirs."""

    FOLDED = len(STATES)
    """Spans too short to be kept singly."""
    GIL_HELD = len(STATES) + 1
    GIL_FREE = len(STATES) + 2
    PROGRAM = len(STATES) + 3
    """A program that runs no Python."""
    CORE_BUSY = len(STATES) + 4
    CORE_OTHER = len(STATES) + 5
    NOT_KNOWN = len(STATES) + 6
    TASK_RUNNING = len(STATES) + 7
    TASK_READY = len(STATES) + 8
    TASK_CREATED = len(STATES) + 9
    TASK_AWAITING = len(STATES) + 10
    TASK_CANCELLING = len(STATES) + 11


class LaneKind(Enum):
    """What a lane shows."""

    THREAD = "thread"
    GIL = "gil"
    PROGRAM = "program"
    PATH = "path"
    CORE = "core"
    TASK = "task"


@dataclass(frozen=True, eq=False)
class Intervals:
    """Columns, an entry per interval, of whatever width holds them; durations in ticks.

    ``who`` is the lane of the thread or task that ended a wait, held the GIL, was on the path or
    on the core, plus one; ``what`` a row of the trace's stacks, ``on`` of its objects (of tasks see
    ``TaskLanes``); 0 stands for none in all three.
    """

    dur: Numbers
    kind: Numbers
    what: Numbers
    who: Numbers
    on: Numbers

    def __len__(self) -> int:
        return len(self.dur)


@dataclass(frozen=True, eq=False)
class Lane:
    """A row of the timeline; ``row`` is that of its thread, process or task, or a core."""

    kind: LaneKind
    process: int
    row: int
    start: int
    intervals: Intervals


@dataclass(frozen=True, eq=False)
class Layout:
    """All lanes; ``left_out_ns`` is the length below which spans were folded for drawing, or 0."""

    tick_ns: int
    length: int
    lanes: tuple[Lane, ...]
    left_out_ns: int


def tick_of(wall_ns: int) -> int:
    """Choose a tick in which every time of the run fits 32 bits."""
    return next((tick for limit, tick in _TICKS if wall_ns < limit), _LONGEST_TICK)


def lay_out(
    trace: Trace, most: int = MOST, path: PathPieces | None = None, tick_ns: int | None = None
) -> Layout:
    """Make the lanes: those of a process together, its GIL, then its threads; then the others.

    At most ``most`` intervals of threads are kept; ``tick_ns`` None takes one that fits 32 bits.

    A new kind of lane is added here, after those of the processes, so that numbers hold.
    """
    tick = tick_ns or tick_of(trace.wall_ns)
    threshold = _threshold(trace, most)
    numbers = lane_numbers(trace)
    who = _wakers(trace, numbers)
    lanes = []
    for row, process in enumerate(trace.processes):
        if process.first == process.last:
            lanes.append(_program(trace, row, process, tick))
            continue
        if _has_gil(trace, process):
            lanes.append(_gil(trace, row, process, tick, numbers))
        threads = range(process.first, process.last)
        lanes.extend(_thread(trace, number, tick, who, threshold) for number in threads)
    if path is not None and len(path.row):
        lanes.append(_path(trace, path, tick, numbers, threshold))
    lanes.extend(_cores(trace, tick, numbers))
    return Layout(tick, _ticks(trace, trace.end_ns, tick), tuple(lanes), threshold)


def _ticks(trace: Trace, time_ns: int, tick: int) -> int:
    return int(max(0, time_ns - trace.start_ns)) // tick


def _threshold(trace: Trace, most: int) -> int:
    """Find the length below which spans have to be folded, so that ``most`` remain; 0 = none."""
    many = len(trace.spans)
    if many <= most:
        return 0
    lengths = trace.spans.dur_ns
    return int(np.partition(lengths, many - most)[many - most]) + 1


def _has_gil(trace: Trace, process: Process) -> bool:
    held = sum(one.gil.held_ns > 0 for one in trace.threads_of(process))
    return trace.gil and held > 1


def lane_numbers(trace: Trace) -> Times:
    """Tell the lane of every thread, by the order in which lanes are made."""
    numbers: Times = np.zeros(len(trace.threads), np.int64)
    at = 0
    for process in trace.processes:
        at += _has_gil(trace, process)
        count = process.last - process.first
        numbers[process.first : process.last] = np.arange(at, at + count)
        at += max(1, count)
    return numbers


def _wakers(trace: Trace, numbers: Numbers) -> Numbers:
    """Tell for every span the lane of the thread that ended it, plus one."""
    spans = trace.spans
    found = np.zeros(len(spans), _dtype(int(numbers.max(initial=0)) + 1))
    for first in range(0, len(spans), _AT_ONCE):
        known = first + np.flatnonzero(spans.waker[first : first + _AT_ONCE])
        rows = trace.rows_of(spans.waker[known], spans.end_ns[known])
        there = rows >= 0
        found[known[there]] = numbers[rows[there]] + 1
    return found


def _thread(trace: Trace, row: int, tick: int, who: Numbers, threshold: int) -> Lane:
    thread = trace.threads[row]
    spans, ended_by = trace.spans_of(thread), who[thread.first : thread.last]
    if threshold:
        kept = spans.dur_ns >= threshold
        spans, ended_by = spans.take(kept), ended_by[kept]
    kinds = spans.state.astype(np.uint16) * np.uint16(REASONS) + spans.reason
    columns = (kinds, spans.stack, ended_by, spans.object)
    first, last = (_ticks(trace, one, tick) for one in (thread.start_ns, thread.end_ns))
    intervals = fill(
        (spans.start_ns - trace.start_ns) // tick,
        (spans.end_ns - trace.start_ns) // tick,
        columns,
        (first, last),
        _gap_kind(thread, threshold),
    )
    return Lane(LaneKind.THREAD, thread.process, row, first, intervals)


def _gap_kind(thread: Thread, threshold: int) -> int:
    folded = threshold or any(total.folded_ns for total in thread.totals.values())
    return (Extra.FOLDED if folded else State.UNKNOWN.code) * REASONS


def fill(
    starts: Times, ends: Times, columns: tuple[Numbers, ...], life: tuple[int, int], gap: int
) -> Intervals:
    """Put intervals end to end over a life, with one of kind ``gap`` wherever nothing is."""
    first, last = life
    count = len(starts)
    edges = np.empty(2 * count + 2, np.int64)
    edges[0], edges[-1] = first, last
    edges[1:-1:2], edges[2:-1:2] = starts, ends
    edges = np.maximum.accumulate(edges)
    dur = np.diff(np.clip(edges, first, max(first, last), out=edges))
    kept = dur > 0
    between = (gap, 0, 0, 0)
    spread = (_spread(*one)[kept] for one in zip(columns, between, strict=True))
    return Intervals(narrow(dur[kept]), *spread)


def _spread(column: Numbers, between: int) -> Numbers:
    """Put the same number before, between and after those of a column."""
    largest = max(between, int(column.max(initial=0)))
    wide: Numbers = np.full(2 * len(column) + 1, between, _dtype(largest))
    wide[1::2] = column
    return wide


def narrow(column: Numbers) -> Numbers:
    """Give numbers, none of them below 0, the width that holds them."""
    return column.astype(_dtype(int(column.max(initial=0))))


def _dtype(largest: int) -> np.dtype[Any]:
    # Of unsigned numbers as wide as these and signed ones NumPy would make fractions.
    return np.min_scalar_type(largest) if largest < 1 << 32 else np.dtype(np.int64)


def _gil(trace: Trace, row: int, process: Process, tick: int, numbers: Times) -> Lane:
    """Show who held the GIL of a process; holds of one thread that touch are one."""
    span_rows = slice(trace.threads[process.first].first, trace.threads[process.last - 1].last)
    held = span_rows.start + np.flatnonzero(trace.spans.flags[span_rows] & SpanFlag.GIL_HELD)
    held = held[np.argsort(trace.spans.start_ns[held], kind="stable")]
    holders = trace.span_threads[held].astype(np.int64)
    starts, ends, holders = _joined(trace.spans.start_ns[held], trace.spans.end_ns[held], holders)
    kinds = np.full(len(starts), int(Extra.GIL_HELD) * REASONS, np.int64)
    none = np.zeros(len(starts), np.int64)
    life = (_ticks(trace, process.start_ns, tick), _ticks(trace, process.end_ns, tick))
    intervals = fill(
        (starts - trace.start_ns) // tick,
        (ends - trace.start_ns) // tick,
        (kinds, none, numbers[holders] + 1, none),
        life,
        int(Extra.GIL_FREE) * REASONS,
    )
    return Lane(LaneKind.GIL, row, row, life[0], intervals)


def _joined(starts: Times, ends: Times, holders: Times) -> tuple[Times, Times, Times]:
    if not len(starts):
        return starts, ends, holders
    fresh = np.ones(len(starts), bool)
    same = holders[1:] == holders[:-1]
    fresh[1:] = ~(same & (starts[1:] == ends[:-1]))
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(starts)) - 1
    return starts[first], ends[last], holders[first]


def _program(trace: Trace, row: int, process: Process, tick: int) -> Lane:
    first, last = (_ticks(trace, one, tick) for one in (process.start_ns, process.end_ns))
    one = np.array([max(1, last - first)], np.int64)
    none = np.zeros(1, np.int64)
    kind = np.full(1, int(Extra.PROGRAM) * REASONS, np.int64)
    return Lane(LaneKind.PROGRAM, row, row, first, Intervals(one, kind, none, none, none))


def _path(trace: Trace, path: PathPieces, tick: int, numbers: Numbers, threshold: int) -> Lane:
    """Show the critical path: what the thread did that it was on, piece by piece."""
    spans, found, starts, ends = trace.spans, [], [], []
    order = np.argsort(path.row, kind="stable")
    edges = np.flatnonzero(np.diff(path.row[order], prepend=path.row[order][:1] + 1))
    for pieces in np.split(order, edges[1:]):
        thread = trace.threads[int(path.row[pieces[0]])]
        mine = slice(thread.first, thread.last)
        low = thread.first + np.searchsorted(spans.end_ns[mine], path.start_ns[pieces], "right")
        high = thread.first + np.searchsorted(spans.start_ns[mine], path.end_ns[pieces], "left")
        many = np.maximum(high - low, 0)
        within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        rows = np.repeat(low, many) + within
        found.append(rows)
        starts.append(np.maximum(spans.start_ns[rows], np.repeat(path.start_ns[pieces], many)))
        ends.append(np.minimum(spans.end_ns[rows], np.repeat(path.end_ns[pieces], many)))
    rows, start, end = (np.concatenate(one) for one in (found, starts, ends))
    order = np.argsort(start, kind="stable")
    order = order[(end - start)[order] >= max(1, threshold)]
    rows, start, end = rows[order], start[order], end[order]
    columns = (
        spans.state[rows].astype(np.int64) * REASONS + spans.reason[rows],
        spans.stack[rows].astype(np.int64),
        numbers[trace.span_threads[rows].astype(np.int64)] + 1,
        spans.object[rows].astype(np.int64),
    )
    first, last = (_ticks(trace, int(one), tick) for one in (path.start_ns[0], path.end_ns[-1]))
    begins, finishes = (start - trace.start_ns) // tick, (end - trace.start_ns) // tick
    gap = (Extra.FOLDED if threshold else Extra.NOT_KNOWN) * REASONS
    return Lane(LaneKind.PATH, 0, 0, first, fill(begins, finishes, columns, (first, last), gap))


def _cores(trace: Trace, tick: int, numbers: Numbers) -> Iterator[Lane]:
    """Show who was on each core; only switch records say that exactly."""
    if trace.on_core is None:
        return
    life = (0, _ticks(trace, trace.end_ns, tick))
    gaps = trace.gaps_ns
    for core in np.unique(trace.on_core.core[trace.on_core.core != NO_CORE]).tolist():
        on = trace.on_core.take(trace.on_core.core == core)
        rows = trace.rows_of(on.tid, on.start_ns)
        starts = np.concatenate((on.start_ns, gaps[:, 0]))
        order = np.argsort(starts, kind="stable")
        ends = np.concatenate((on.end_ns, gaps[:, 1]))
        kinds = np.repeat([int(Extra.CORE_BUSY), int(Extra.NOT_KNOWN)], [len(on), len(gaps)])
        who = np.concatenate((np.where(rows >= 0, numbers[rows] + 1, 0), np.zeros(len(gaps))))
        none = np.zeros(len(starts), np.int64)
        intervals = fill(
            (starts[order] - trace.start_ns) // tick,
            (ends[order] - trace.start_ns) // tick,
            (kinds[order] * REASONS, none, who[order].astype(np.int64), none),
            life,
            int(Extra.CORE_OTHER) * REASONS,
        )
        yield Lane(LaneKind.CORE, 0, core, 0, intervals)


def segments(lanes: tuple[Lane, ...], most: int) -> Iterator[list[tuple[int, int, int]]]:
    """Cut lanes into blocks of at most ``most`` intervals: (lane, first, last) of each piece."""
    block: list[tuple[int, int, int]] = []
    room = most
    for number, lane in enumerate(lanes):
        first = 0
        while first < len(lane.intervals):
            last = min(first + room, len(lane.intervals))
            block.append((number, first, last))
            room -= last - first
            first = last
            if not room:
                yield block
                block, room = [], most
    if block:
        yield block
