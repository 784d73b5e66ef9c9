"""Switch records laid over spans: the same time, each instant told once, cores known."""

import itertools
from collections.abc import Iterable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from concurtrace.model.spans import NO_CORE, CoreReadings, Left, OnCore, SpanFlag, Spans
from concurtrace.model.states import STATES, Reason, State
from concurtrace.recording.cores import (
    SPLIT_NS,
    anchored,
    lay_over,
    lay_over_readings,
    name_child_starts,
    name_gil_waits,
    releases_of,
    split_woken,
)

US = 1_000
MS = 1_000_000
LONG = 20 * SPLIT_NS
TID = 7
_HELD = (State.RUNNING, State.GIL_BLOCKED)


def _spans(*rows: tuple[State, int, int], waker: int = 0) -> Spans:
    """Make spans of (state, start, end)."""
    made = Spans(*(np.zeros(len(rows), kind) for kind in Spans.kinds()))
    for number, (state, start, end) in enumerate(rows):
        made.state[number] = state.code
        made.start_ns[number], made.end_ns[number] = start, end
        made.flags[number] = SpanFlag.GIL_HELD if state in _HELD else 0
    made.core[:] = NO_CORE
    made.waker[:] = waker
    return made


def _on(*rows: tuple[int, int, int, Left]) -> OnCore:
    """Make stretches of (start, end, core, left)."""
    return OnCore(
        start_ns=np.array([row[0] for row in rows], np.int64),
        end_ns=np.array([row[1] for row in rows], np.int64),
        tid=np.full(len(rows), TID, np.uint32),
        core=np.array([row[2] for row in rows], np.int16),
        left=np.array([row[3].value for row in rows], np.uint8),
    )


def _told(spans: Spans) -> list[tuple[int, int, State, Reason, int]]:
    return [(*row, int(core)) for row, core in zip(spans.rows(), spans.core, strict=True)]


def test_a_thread_that_lost_its_core_with_the_gil_is_told_so() -> None:
    laid = lay_over(
        _spans((State.RUNNING, 0, 10 * MS)),
        _on((0, 4 * MS, 0, Left.PREEMPTED), (6 * MS, 11 * MS, 1, Left.ASLEEP)),
    )
    assert _told(laid) == [
        (0, 4 * MS, State.RUNNING, Reason.NONE, 0),
        (4 * MS, 6 * MS, State.RUNNABLE, Reason.HOLDING_GIL, NO_CORE),
        (6 * MS, 10 * MS, State.RUNNING, Reason.NONE, 1),
    ]


def test_without_the_gil_it_was_merely_preempted() -> None:
    laid = lay_over(
        _spans((State.RUNNING_NOGIL, 0, 10 * MS)),
        _on((0, 4 * MS, 0, Left.PREEMPTED), (6 * MS, 11 * MS, 0, Left.ASLEEP)),
    )
    assert [row[2:4] for row in _told(laid)][1] == (State.RUNNABLE, Reason.PREEMPTED)


def test_a_call_that_never_slept_was_work() -> None:
    laid = lay_over(_spans((State.IO_WAIT, MS, 2 * MS)), _on((0, 3 * MS, 0, Left.ASLEEP)))
    assert _told(laid) == [(MS, 2 * MS, State.RUNNING_NOGIL, Reason.NONE, 0)]


def test_entering_and_leaving_a_call_is_part_of_the_wait() -> None:
    laid = lay_over(
        _spans((State.IO_WAIT, MS, 5 * MS)),
        _on((0, MS + 3 * US, 0, Left.ASLEEP), (5 * MS - 2 * US, 6 * MS, 1, Left.ASLEEP)),
    )
    assert _told(laid) == [(MS, 5 * MS, State.IO_WAIT, Reason.NONE, NO_CORE)]


def test_sleep_outside_of_any_known_call_is_not_running() -> None:
    on = _on((0, 2 * MS, 0, Left.ASLEEP), (4 * MS, 9 * MS, 0, Left.ASLEEP))
    free = lay_over(_spans((State.RUNNING_NOGIL, 0, 5 * MS)), on)
    held = lay_over(_spans((State.RUNNING, 0, 5 * MS)), on)
    assert [row[2] for row in _told(free)][1] is State.UNKNOWN
    assert [row[2] for row in _told(held)][1] is State.GIL_BLOCKED


_WAKES_TWICE = _on((0, 2 * MS + 10 * US, 0, Left.ASLEEP), (5 * MS - 8 * US, 7 * MS, 0, Left.ASLEEP))


def _named(before: State, after: State) -> list[State]:
    """Lay sleep without the GIL between two states over, and name it."""
    spans = _spans(
        (before, 0, 2 * MS), (State.RUNNING_NOGIL, 2 * MS, 5 * MS), (after, 5 * MS, 6 * MS)
    )
    laid = lay_over(spans, _WAKES_TWICE)
    name_gil_waits(laid)
    return [row[2] for row in _told(laid)]


def test_sleep_on_the_way_to_the_gil_is_a_wait_for_it() -> None:
    states = _named(State.RUNNING, State.GIL_WAIT)
    assert states[-3:] == [State.GIL_WAIT] * 3


def test_sleep_in_a_call_that_nobody_knows_stays_unknown() -> None:
    states = _named(State.RUNNING, State.RUNNING)
    assert State.UNKNOWN in states
    assert State.GIL_WAIT not in states


def test_sleep_while_a_child_is_started_is_a_wait_for_it() -> None:
    spans = _spans((State.RUNNING, 0, 2 * MS), (State.RUNNING_NOGIL, 2 * MS, 5 * MS))
    laid = lay_over(spans, _WAKES_TWICE)
    name_child_starts(laid, np.array([2 * MS + US], np.int64), np.array([99], np.uint32))
    asleep = laid.take(laid.in_state(State.CHILD_WAIT))
    assert asleep.waker.tolist() == [99]
    other = lay_over(spans, _WAKES_TWICE)
    name_child_starts(other, np.array([4 * MS], np.int64), np.array([99], np.uint32))
    assert not other.in_state(State.CHILD_WAIT).any()


def test_where_records_are_missing_nothing_changes() -> None:
    spans = _spans((State.RUNNING, 0, 10 * MS))
    late = lay_over(spans, _on((6 * MS, 7 * MS, 0, Left.STILL_ON)))
    assert {row[2] for row in _told(late)} == {State.RUNNING}
    assert lay_over(spans, _on()) is spans


def test_a_wait_for_a_gil_that_was_free_was_one_for_a_core() -> None:
    holder = _spans((State.RUNNING, 0, 4 * MS), (State.IO_WAIT, 4 * MS, 9 * MS))
    waiter = _spans((State.GIL_WAIT, MS, 5 * MS), waker=3)
    split = split_woken(waiter, {3: releases_of([holder])})
    assert _told(split) == [
        (MS, 4 * MS, State.GIL_WAIT, Reason.NONE, NO_CORE),
        (4 * MS, 5 * MS, State.RUNNABLE, Reason.WOKEN, NO_CORE),
    ]


def test_a_hold_that_may_hide_in_a_gap_keeps_the_wait_whole() -> None:
    holder = _spans((State.RUNNING, 0, 2 * MS), (State.RUNNING_NOGIL, 4 * MS, 9 * MS))
    waiter = _spans((State.GIL_WAIT, MS, 5 * MS), waker=3)
    assert split_woken(waiter, {3: releases_of([holder])}) is waiter


def test_a_hold_that_goes_on_in_the_next_batch_has_not_ended() -> None:
    parts = [
        _spans((State.RUNNING, 0, 2 * MS)),
        _spans((State.GIL_BLOCKED, 2 * MS, 3 * MS), (State.IO_WAIT, 3 * MS, 4 * MS)),
    ]
    assert releases_of(parts).times_ns.tolist() == [3 * MS]


_STATES = st.sampled_from([one for one in STATES if one is not State.RUNNABLE])
_LENGTHS = st.integers(0, LONG)


@st.composite
def _lives(draw: st.DrawFn) -> Spans:
    at, rows = 0, []
    for state, gap, length in draw(st.lists(st.tuples(_STATES, _LENGTHS, _LENGTHS), max_size=12)):
        start = at + (gap if gap % 3 == 0 else 0)
        at = start + length
        rows.append((state, start, at))
    return _spans(*rows)


@st.composite
def _cores(draw: st.DrawFn) -> OnCore:
    at, rows = 0, []
    parts = st.tuples(_LENGTHS, st.integers(1, LONG), st.integers(0, 2), st.sampled_from(Left))
    for gap, length, core, left in draw(st.lists(parts, max_size=12)):
        rows.append((at + gap, at + gap + length, core, left))
        at += gap + length
    return _on(*rows)


def _length_by_row(pieces: Iterable[tuple[int, int]], spans: Spans) -> list[int]:
    """Add up pieces by the span that they lie in."""
    sums = [0] * len(spans)
    for start, end in pieces:
        inside = [
            number
            for number in range(len(spans))
            if spans.start_ns[number] <= start and end <= spans.end_ns[number]
        ]
        if end > start:
            sums[inside[0]] += end - start
    return sums


@given(_lives(), _cores())
@settings(max_examples=150, deadline=None)
def test_pieces_cover_exactly_the_time_of_their_spans(spans: Spans, on: OnCore) -> None:
    laid = lay_over(spans, on)
    assert (laid.dur_ns >= 0).all()
    assert (laid.start_ns[1:] >= laid.end_ns[:-1]).all()
    pieces = zip(laid.start_ns.tolist(), laid.end_ns.tolist(), strict=True)
    assert _length_by_row(pieces, spans) == spans.dur_ns.tolist()


@given(_lives(), _cores())
@settings(max_examples=150, deadline=None)
def test_pieces_run_where_the_kernel_says(spans: Spans, on: OnCore) -> None:
    for start, end, state, _, core in _told(lay_over(spans, on)):
        running = state in (State.RUNNING, State.RUNNING_NOGIL)
        assert running or core == NO_CORE
        if core != NO_CORE:
            assert any(
                number == core and begin <= end and stop >= start
                for begin, stop, number in zip(on.start_ns, on.end_ns, on.core, strict=True)
            )


def _readings(*rows: tuple[int, int, int]) -> CoreReadings:
    """Make readings of (time, on core so far, ready so far)."""
    return CoreReadings(
        np.array([row[0] for row in rows], np.int64),
        np.full(len(rows), TID, np.uint32),
        np.zeros(len(rows), np.int16),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int64),
    )


def test_counters_take_from_running_what_was_waiting_for_a_core() -> None:
    spans = _spans((State.RUNNING, 0, 10 * MS), (State.IO_WAIT, 10 * MS, 20 * MS))
    laid = lay_over_readings(spans, _readings((0, 0, 0), (20 * MS, 6 * MS, 4 * MS)), None)
    assert _told(laid) == [
        (0, 6 * MS, State.RUNNING, Reason.NONE, NO_CORE),
        (6 * MS, 10 * MS, State.RUNNABLE, Reason.HOLDING_GIL, NO_CORE),
        (10 * MS, 20 * MS, State.IO_WAIT, Reason.NONE, NO_CORE),
    ]


def test_counters_that_are_raised_late_are_right_in_sum() -> None:
    """The kernel tells of time in the queue when the thread has left it."""
    spans = _spans((State.RUNNING_NOGIL, 0, 30 * MS))
    counters = _readings(
        (0, 0, 0), (10 * MS, 2 * MS, 0), (20 * MS, 2 * MS, 0), (30 * MS, 12 * MS, 18 * MS)
    )
    laid = lay_over_readings(spans, counters, None)
    ready = laid.take(laid.in_state(State.RUNNABLE))
    assert abs(int(ready.dur_ns.sum()) - 18 * MS) < 10
    assert (ready.end_ns <= 20 * MS).all()


def test_counters_count_only_where_there_are_no_switch_records() -> None:
    spans = _spans((State.RUNNING, 0, 30 * MS))
    counters = _readings(
        (0, 0, 0),
        (10 * MS, 5 * MS, 5 * MS),
        (20 * MS, 11 * MS, 9 * MS),
        (30 * MS, 11 * MS, 19 * MS),
    )
    gaps = np.array([[10 * MS, 20 * MS]], np.int64)
    laid = lay_over_readings(spans, counters, gaps)
    ready = laid.take(laid.in_state(State.RUNNABLE))
    assert list(ready.rows()) == [(16 * MS, 20 * MS, State.RUNNABLE, Reason.HOLDING_GIL)]


def test_start_and_end_of_a_thread_are_readings_too() -> None:
    whole = anchored(_readings((5 * MS, 2 * MS, MS)), (0, 9 * MS), 4 * MS)
    assert whole.time_ns.tolist() == [0, 5 * MS, 9 * MS]
    assert whole.on_core_ns.tolist() == [0, 2 * MS, 4 * MS]
    older = anchored(_readings((5 * MS, 8 * MS, MS)), (0, 9 * MS), None)
    assert older.time_ns.tolist() == [5 * MS]


_STEPS = st.lists(st.tuples(st.integers(1, LONG), _LENGTHS, _LENGTHS), min_size=2, max_size=8)


@given(_lives(), _STEPS)
@settings(max_examples=150, deadline=None)
def test_counters_never_change_the_time_that_is_covered(
    spans: Spans, steps: list[tuple[int, int, int]]
) -> None:
    columns = (itertools.accumulate(column) for column in zip(*steps, strict=True))
    counters = _readings(*zip(*columns, strict=True))
    laid = lay_over_readings(spans, counters, None)
    assert (laid.dur_ns >= 0).all()
    assert (laid.start_ns[1:] >= laid.end_ns[:-1]).all()
    pieces = zip(laid.start_ns.tolist(), laid.end_ns.tolist(), strict=True)
    assert _length_by_row(pieces, spans) == spans.dur_ns.tolist()
