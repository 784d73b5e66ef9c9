"""Lay the kernel's switch records over the recorder's spans: who really was on a core.

The recorder sees calls, the kernel sees cores. Where a thread in no call was off its core because
another took it, it was RUNNABLE; where a thread in a call was on a core, it did not wait.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import (
    NO_CORE,
    CoreReadings,
    Left,
    Numbers,
    OnCore,
    SpanFlag,
    Spans,
    Times,
)
from concurtrace.model.states import Reason, State

SPLIT_NS = 10_000
"""Pieces shorter than this stay with the span they lie in: entering and leaving a call takes a
few microseconds on a core, and no total of a thread moves by it."""

_ON_THE_WAY_NS = 50_000
"""Longest work between waking up and being seen to take the GIL: some function calls."""
_STEPS_TO_THE_GIL = 3
_STARTS_A_CHILD_NS = 20_000_000
"""Longest time between the call that starts a child and going to sleep in it."""

_OFF_ASLEEP, _OFF_PREEMPTED, _ON = 0, 1, 2
_RUNNING, _NOGIL = State.RUNNING.code, State.RUNNING_NOGIL.code
_RUNNABLE, _GIL_WAIT = State.RUNNABLE.code, State.GIL_WAIT.code
# On a core in spite of the call: for the GIL and for a first instruction it waits all the same.
_KEEPS_WAITING = (_GIL_WAIT, State.STARTING.code, State.RUNNABLE.code, State.UNKNOWN.code)


@dataclass(frozen=True, eq=False)
class Releases:
    """When one thread let go of the GIL, and since when its spans leave a gap that matters.

    In a gap lie folded spans, and among them there may be a hold.
    """

    times_ns: Times
    gaps_ns: Times

    def last_before(self, times_ns: Times) -> Times:
        """Return the last release at or before each time; -1 = not known."""
        if not len(self.times_ns):
            return np.full(len(times_ns), -1, np.int64)
        places = np.searchsorted(self.times_ns, times_ns, side="right") - 1
        found = np.where(places >= 0, self.times_ns[np.maximum(places, 0)], -1)
        hidden = np.searchsorted(self.gaps_ns, times_ns) > np.searchsorted(self.gaps_ns, found)
        return np.where(hidden, -1, found)


def releases_of(parts: list[Spans]) -> Releases:
    """Find the ends of holds of the GIL among the stored spans of one tid, in order of time."""
    releases, gaps = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, part in enumerate(parts):
        held = (part.flags & SpanFlag.GIL_HELD) != 0
        after = [one.take(slice(0, 1)) for one in parts[number + 1 : number + 2]]
        next_start = np.concatenate([part.start_ns[1:], *(one.start_ns for one in after)])
        next_flags = np.concatenate([part.flags[1:], *(one.flags for one in after)])
        ends = part.end_ns[: len(next_start)]
        pause = next_start - ends
        goes_on = np.zeros(len(part), bool)
        goes_on[: len(ends)] = (pause == 0) & ((next_flags & SpanFlag.GIL_HELD) != 0)
        releases.append(part.end_ns[held & ~goes_on])
        gaps.append(ends[pause > SPLIT_NS // 2])
    return Releases(np.concatenate(releases), np.concatenate(gaps))


def lay_over(spans: Spans, on: OnCore) -> Spans:
    """Split the spans of one thread by its stretches on cores; they cover the same time."""
    if not len(spans) or not len(on):
        return spans
    return _merge(_judge(_cut(spans, _edges(on)), on))


def lay_over_readings(spans: Spans, readings: CoreReadings, gaps_ns: Times | None) -> Spans:
    """Split the running spans of one thread by readings of its counters.

    Between two readings it is known how long the thread was ready without a core, not when: every
    running span between them ends with its part of that. ``gaps_ns`` are the stretches in which
    there is nothing better; None = all the time.
    """
    if not len(spans) or len(readings) < 2:
        return spans
    if gaps_ns is not None:
        readings = _read_at(readings, gaps_ns.ravel())
    times = readings.time_ns
    pieces = _cut(spans, times).spans
    interval = np.searchsorted(times, pieces.start_ns, side="right") - 1
    running = np.isin(pieces.state, (_RUNNING, _NOGIL))
    running &= (interval >= 0) & (interval < len(times) - 1)
    if gaps_ns is not None:
        running &= _within(pieces, gaps_ns)
    ran = np.bincount(interval[running], pieces.dur_ns[running], len(times))[:-1]
    share = np.divide(_missing(ran, readings), ran, out=np.zeros(len(ran)), where=ran > 0)
    rows = np.flatnonzero(running)
    ready = (pieces.dur_ns[rows] * share[interval[rows]]).astype(np.int64)
    rows, ready = rows[ready >= SPLIT_NS], ready[ready >= SPLIT_NS]
    if not len(rows):
        return spans
    return _split_off(pieces, rows, pieces.end_ns[rows] - ready, None)


def name_gil_waits(spans: Spans) -> None:
    """Call sleep on the way to the GIL what it is, in a process of several Python threads.

    Taking the GIL begins with a mutex, and a thread that lost its core with that mutex in hand
    makes all others sleep before they are seen to wait. Where the GIL was free afterwards, sleep
    right after letting go of it was something else: a call that the recorder does not know.
    """
    some = len(spans) > 2 and bool((spans.state == State.UNKNOWN.code).any())
    for _ in range(_STEPS_TO_THE_GIL if some else 0):
        goes_on = spans.start_ns[1:] == spans.end_ns[:-1]
        after = spans.state[2:]
        asleep = np.flatnonzero(
            (spans.state[:-2] == State.UNKNOWN.code)
            & (spans.state[1:-1] == _NOGIL)
            & (spans.dur_ns[1:-1] < _ON_THE_WAY_NS)
            & ((after == _GIL_WAIT) | ((after == _RUNNING) & _after_call(spans, goes_on)[:-2]))
            & goes_on[:-1]
            & goes_on[1:]
        )
        for rows in (asleep, asleep + 1):
            spans.state[rows], spans.reason[rows] = _GIL_WAIT, Reason.NONE.code


def name_child_starts(spans: Spans, starts_ns: Times, pids: Numbers) -> None:
    """Call sleep right after starting a child what it is: vfork returns when the child executes.

    ``starts_ns`` are when the thread began to start its children, in order.
    """
    if not len(spans) or not len(starts_ns):
        return
    other = spans.reason == Reason.OTHER.code
    asleep = np.isin(spans.state, (State.UNKNOWN.code, State.GIL_BLOCKED.code)) & other
    rows = np.flatnonzero(asleep)
    child = np.searchsorted(starts_ns, spans.start_ns[rows], side="right") - 1
    since = spans.start_ns[rows] - starts_ns[np.maximum(child, 0)]
    first = np.diff(child, prepend=-2) != 0
    good = (child >= 0) & (since < _STARTS_A_CHILD_NS) & first
    rows, child = rows[good], child[good]
    held = spans.state[rows] == State.GIL_BLOCKED.code
    spans.reason[rows] = np.where(held, Reason.CHILD.code, Reason.NONE.code)
    spans.state[rows[~held]] = State.CHILD_WAIT.code
    spans.waker[rows] = pids[child]


def _after_call(spans: Spans, goes_on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell for every row whether the thread comes out of a call, with no work of its own since."""
    between = np.isin(spans.state, (_NOGIL, _RUNNABLE, State.UNKNOWN.code))
    # A call that never slept is work, and keeps the reason of the call.
    between &= (spans.state != _NOGIL) | (spans.reason == Reason.NONE.code)
    rows = np.arange(len(spans))
    last = np.maximum.accumulate(np.where(between, -1, rows))
    gaps = np.concatenate(([0], np.cumsum(~goes_on)))
    found = spans.state[np.maximum(last, 0)]
    good: NDArray[np.bool_] = (last >= 0) & (gaps[rows] == gaps[np.maximum(last, 0)])
    good &= (found != _RUNNING) & (found != State.STARTING.code)
    return good


def anchored(readings: CoreReadings, life_ns: tuple[int, int], cpu_ns: int | None) -> CoreReadings:
    """Add what is known of a thread's start (nothing had run) and of its end (its CPU time)."""
    if not len(readings):
        return readings
    start, end = life_ns
    parts = [readings]
    first, last = readings.take(slice(0, 1)), readings.take(slice(-1, None))
    if start < first.time_ns[0] and first.on_core_ns[0] <= first.time_ns[0] - start:
        parts.insert(0, _at(first, start, 0, 0))
    if cpu_ns is not None and last.time_ns[0] < end and last.on_core_ns[0] <= cpu_ns:
        parts.append(_at(last, end, cpu_ns, int(last.ready_ns[0]) + end - int(last.time_ns[0])))
    return CoreReadings.joined(parts)


def _at(one: CoreReadings, time_ns: int, on_core_ns: int, ready_ns: int) -> CoreReadings:
    times = (np.array([value], np.int64) for value in (time_ns, on_core_ns, ready_ns))
    return CoreReadings(next(times), one.tid, one.core, *times)


def _read_at(readings: CoreReadings, times_ns: Times) -> CoreReadings:
    """Repeat readings at some times: what changed between would have been read anew."""
    place = np.searchsorted(readings.time_ns, times_ns, side="right") - 1
    known = place >= 0
    again = replace(readings.take(place[known]), time_ns=times_ns[known])
    both = CoreReadings.joined([readings, again])
    return both.take(np.argsort(both.time_ns, kind="stable"))


def _missing(ran_ns: NDArray[Any], readings: CoreReadings) -> NDArray[np.float64]:
    """Tell how much of the running time between readings was none.

    The kernel raises its counters late, when a thread gets its core or at a tick: they are right
    over many intervals, and only tell roughly in which of them it was.
    """
    on_core, ready = np.diff(readings.on_core_ns), np.diff(readings.ready_ns)
    seen = ran_ns > 0
    off = np.where(seen, np.clip(ran_ns - on_core, 0, None), 0.0)
    wanted = min(max(0.0, float((ran_ns - on_core)[seen].sum())), float(ready.sum()))
    whole = float(off.sum())
    return off * (wanted / whole) if whole else off


def _within(spans: Spans, stretches_ns: Times) -> NDArray[np.bool_]:
    place = np.searchsorted(stretches_ns[:, 0], spans.start_ns, side="right") - 1
    ends = stretches_ns[np.maximum(place, 0), 1] if len(stretches_ns) else spans.start_ns
    inside: NDArray[np.bool_] = (place >= 0) & (spans.end_ns <= ends)
    return inside


def _split_off(spans: Spans, rows: NDArray[np.intp], at_ns: Times, reason: Reason | None) -> Spans:
    """End some spans at a time and make the rest of each RUNNABLE; None = by who had the GIL."""
    ready = replace(spans.take(rows), start_ns=at_ns)
    ready.state[:] = _RUNNABLE
    ready.core[:] = NO_CORE
    held = (ready.flags & SpanFlag.GIL_HELD) != 0
    split = np.where(held, Reason.HOLDING_GIL.code, Reason.PREEMPTED.code)
    ready.reason[:] = split if reason is None else reason.code
    stops = spans.end_ns.copy()
    stops[rows] = at_ns
    both = Spans.joined([replace(spans, end_ns=stops), ready])
    return both.take(np.argsort(both.start_ns, kind="stable"))


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Spans cut at every switch; ``origin`` is the row of the span each piece was cut from."""

    spans: Spans
    origin: NDArray[np.intp]


def _edges(on: OnCore) -> Times:
    edges = np.empty(2 * len(on), np.int64)
    edges[0::2], edges[1::2] = on.start_ns, on.end_ns
    return edges


def _cut(spans: Spans, edges: Times) -> _Pieces:
    first = np.searchsorted(edges, spans.start_ns, side="right")
    inside = np.maximum(np.searchsorted(edges, spans.end_ns, side="left") - first, 0)
    origin = np.repeat(np.arange(len(spans)), inside + 1)
    # Number of each piece within its span, and the edge that it begins at.
    ends = np.cumsum(inside + 1)
    number = np.arange(len(origin)) - (ends - inside - 1)[origin]
    edge = first[origin] + number
    begins, stops = spans.start_ns[origin], spans.end_ns[origin]
    starts = np.where(
        number > 0, edges[np.minimum(np.maximum(edge - 1, 0), len(edges) - 1)], begins
    )
    halts = np.where(number < inside[origin], edges[np.minimum(edge, len(edges) - 1)], stops)
    cut = replace(spans.take(origin), start_ns=starts, end_ns=halts)
    kept = (halts > starts) | (inside[origin] == 0)
    return _Pieces(cut.take(kept), origin[kept])


def _judge(pieces: _Pieces, on: OnCore) -> _Pieces:
    """Give every piece its state by where the thread was."""
    spans, origin = pieces.spans, pieces.origin
    place = np.searchsorted(_edges(on), spans.start_ns, side="right")
    stretch = np.minimum(np.maximum(place - 1, 0) // 2, len(on) - 1)
    where = np.where(place % 2 == 1, _ON, _OFF_ASLEEP)
    left = on.left[stretch]
    where[(place % 2 == 0) & (left == Left.PREEMPTED.value)] = _OFF_PREEMPTED
    # Before the first record and behind a lost one nothing is known: as if on its core.
    unknown = (place == 0) | ((place % 2 == 0) & (left == Left.STILL_ON.value))
    where[unknown] = _ON
    core = np.where((place % 2 == 1), on.core[stretch], NO_CORE)
    state, reason = _states(spans, where, unknown)
    short = (spans.dur_ns < SPLIT_NS) & ~_whole(origin)
    state[short], reason[short] = spans.state[short], spans.reason[short]
    running = np.isin(state, (_RUNNING, _NOGIL))
    core[~running] = NO_CORE
    return _Pieces(replace(spans, state=state, reason=reason, core=core.astype(np.int16)), origin)


def _whole(origin: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which pieces are their whole span."""
    alone = np.ones(len(origin), bool)
    same = origin[1:] == origin[:-1]
    alone[1:] &= ~same
    alone[:-1] &= ~same
    return alone


def _states(
    spans: Spans, where: NDArray[np.int_], unknown: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    state, reason = spans.state.copy(), spans.reason.copy()
    held = (spans.flags & SpanFlag.GIL_HELD) != 0
    running = np.isin(state, (_RUNNING, _NOGIL))
    waiting = ~running & ~np.isin(state, _KEEPS_WAITING)
    busy = waiting & (where == _ON) & ~unknown
    state[busy] = np.where(held[busy], _RUNNING, _NOGIL)
    ready = (running | waiting | (state == _GIL_WAIT)) & (where == _OFF_PREEMPTED)
    state[ready] = _RUNNABLE
    reason[ready] = np.where(held[ready], Reason.HOLDING_GIL.code, Reason.PREEMPTED.code)
    # Asleep in no call that is known: a page that had to be read, or a library's own way to wait.
    asleep = running & (where == _OFF_ASLEEP)
    state[asleep] = np.where(held[asleep], State.GIL_BLOCKED.code, State.UNKNOWN.code)
    reason[asleep] = Reason.OTHER.code
    return state, reason


def _merge(pieces: _Pieces) -> Spans:
    """Join neighbouring pieces of one span that came out the same."""
    spans, origin = pieces.spans, pieces.origin
    running = np.isin(spans.state, (_RUNNING, _NOGIL))
    fresh = np.ones(len(spans), bool)
    fresh[1:] = (
        (origin[1:] != origin[:-1])
        | (spans.state[1:] != spans.state[:-1])
        | (spans.reason[1:] != spans.reason[:-1])
        | (running[1:] & (spans.core[1:] != spans.core[:-1]))
    )
    first = np.flatnonzero(fresh)
    last = np.append(first[1:] - 1, len(spans) - 1)
    return replace(spans.take(first), end_ns=spans.end_ns[last])


def split_woken(spans: Spans, releases: Mapping[int, Releases]) -> Spans:
    """Take out of waits for the GIL the time when it was free and only a core was missing.

    ``releases`` are those of every thread by tid. The thread that let go of the GIL last before a
    wait ended is the wait's waker, so nobody held it from then on.
    """
    waits = np.flatnonzero((spans.state == _GIL_WAIT) & (spans.waker != 0))
    if not len(waits):
        return spans
    wakers, ends = spans.waker[waits], spans.end_ns[waits]
    released = np.full(len(waits), -1, np.int64)
    for tid in np.unique(wakers).tolist():
        if tid in releases:
            mine = wakers == tid
            released[mine] = releases[tid].last_before(ends[mine])
    late = (released > spans.start_ns[waits]) & (ends - released >= SPLIT_NS)
    waits, released = waits[late], released[late]
    if not len(waits):
        return spans
    return _split_off(spans, waits, released, Reason.WOKEN)
