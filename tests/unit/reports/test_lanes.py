"""The lanes of the timeline and their packing: nothing lost, nothing doubled, nothing drifting."""

from dataclasses import replace

import numpy as np
import pytest
from concurtrace.reports.html import lanes as laid
from concurtrace.reports.html import strip as strips
from concurtrace.reports.html.lanes import REASONS, Extra, Intervals, Lane, LaneKind, lay_out
from concurtrace.reports.html.pack import pack, planes, unpack, width_of
from concurtrace.reports.html.sections import timeline
from concurtrace.reports.html.strip import FULL, strip

from concurtrace.model.report import PathPieces
from concurtrace.model.states import State
from concurtrace.model.trace import StateTotal, Trace
from concurtrace.units import NS_PER_S
from tests import builders
from tests.builders_trace import MS, TraceBuilder, trace


def two_threads() -> TraceBuilder:
    return (
        trace()
        .thread("MainThread").running(40).waits_gil(10, by="other").running(50)
        .thread("other", start=20).waits_gil(20, by="MainThread").running(10)
    )  # fmt: skip


def states_of(lane: Lane) -> list[tuple[int, int]]:
    """The (state code, ticks) of the intervals of a lane."""
    kinds, dur = lane.intervals.kind // REASONS, lane.intervals.dur
    return list(zip(kinds.tolist(), dur.tolist(), strict=True))


def test_a_lane_has_its_spans_and_the_whole_life() -> None:
    layout = lay_out(two_threads().build())
    gil, main, other = layout.lanes
    assert layout.tick_ns == 100
    ms = MS // 100
    assert states_of(main) == [
        (State.RUNNING.code, 40 * ms),
        (State.GIL_WAIT.code, 10 * ms),
        (State.RUNNING.code, 50 * ms),
    ]
    assert other.start == 20 * ms
    assert states_of(gil) == [(Extra.GIL_HELD, n * ms) for n in (40, 10, 50)]
    # Lane 1 is the main thread: numbers are those of lanes plus one.
    assert gil.intervals.who.tolist() == [2, 3, 2]
    assert main.intervals.who.tolist() == [0, 3, 0]


def test_the_critical_path_is_a_lane_of_what_its_threads_did() -> None:
    made = two_threads().build()
    at = [made.start_ns + n * MS for n in (0, 30, 50)]
    path = PathPieces(np.array([0, 1], np.uint32), np.array(at[:2]), np.array(at[1:]))
    *_, lane = lay_out(made, path=path).lanes
    assert lane.kind is LaneKind.PATH
    ms = MS // 100
    assert states_of(lane) == [
        (State.RUNNING.code, 30 * ms),
        (State.GIL_WAIT.code, 10 * ms),
        (State.RUNNING.code, 10 * ms),
    ]
    # Lanes 1 and 2 are the threads: numbers are those of lanes plus one.
    assert lane.intervals.who.tolist() == [2, 3, 3]


def test_a_core_is_a_lane_of_who_was_on_it() -> None:
    made = (
        trace()
        .thread("MainThread").running(10, core=0).sleeps(10).running(10, core=1)
        .thread("other").running(5, core=1).sleeps(25)
        .build(gaps_ns=np.array([[0, 0]]))
    )  # fmt: skip
    gap = (made.start_ns + 25 * MS, made.start_ns + 30 * MS)
    cut = (
        replace(
            made, gaps_ns=np.array([gap]), on_core=made.on_core.take(made.on_core.end_ns <= gap[0])
        )
        if made.on_core is not None
        else made
    )
    first, second = (one for one in lay_out(cut).lanes if one.kind is LaneKind.CORE)
    ms = MS // 100
    assert (first.row, second.row) == (0, 1)
    assert states_of(first) == [
        (Extra.CORE_BUSY, 10 * ms),
        (Extra.CORE_OTHER, 15 * ms),
        (Extra.NOT_KNOWN, 5 * ms),
    ]
    assert states_of(second)[0] == (Extra.CORE_BUSY, 5 * ms)
    assert first.intervals.who.tolist() == [2, 0, 0]


@pytest.mark.parametrize("at_once", [7, 1_000_000])
def test_the_strip_is_the_sum_of_all_threads(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(strips, "_AT_ONCE", at_once)
    layout = lay_out(random_trace(5))
    numbers = {code: code for code in range(len(State) + len(Extra))}
    rows = np.array(strip(layout, numbers, 50))
    edges = np.arange(51) * layout.length / 50
    exact = np.zeros(rows.shape)
    for lane in (one for one in layout.lanes if one.kind is LaneKind.THREAD):
        ends = lane.start + np.cumsum(lane.intervals.dur)
        starts = ends - lane.intervals.dur
        for start, end, kind in zip(starts, ends, lane.intervals.kind, strict=True):
            part = np.clip(np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1]), 0, None)
            exact[:, numbers[int(kind) // REASONS]] += part
    exact *= FULL / exact.sum(axis=1).max()
    assert np.abs(rows - exact).max() <= 0.5 + 1e-6


def test_a_gap_is_drawn_as_what_was_folded() -> None:
    made = trace().thread("MainThread").running(10).sleeps(10).running(10).build()
    rows = np.array([0, 2])
    thread = replace(
        made.threads[0], last=2, totals={State.SLEEP: StateTotal(10 * MS, 1, 10 * MS, 1)}
    )
    folded = replace(made, spans=made.spans.take(rows), threads=(thread,))
    (lane,) = lay_out(folded).lanes
    codes = [code for code, _ in states_of(lane)]
    assert codes == [State.RUNNING.code, Extra.FOLDED, State.RUNNING.code]
    assert lane.intervals.dur.sum() == 30 * MS // 100


def test_a_program_without_python_is_one_interval() -> None:
    made = trace().thread("MainThread").running(10).process("sh", parent=0).build()
    last = lay_out(made).lanes[-1]
    assert last.kind is LaneKind.PROGRAM
    assert [code for code, _ in states_of(last)] == [Extra.PROGRAM]


def test_too_many_intervals_leave_the_longest_and_the_whole_time() -> None:
    made = trace().thread("MainThread")
    for number in range(100):
        made = made.running(1 + number % 7).sleeps(0.5)
    built = made.build()
    layout = lay_out(built, most=50)
    (lane,) = layout.lanes
    assert layout.left_out_ns > MS // 2
    assert len(lane.intervals) <= 101
    assert lane.intervals.dur.sum() == lay_out(built).lanes[0].intervals.dur.sum()


@pytest.mark.parametrize("seconds", [1, 419, 500, 4000, 40_000])
def test_every_time_fits_32_bits(seconds: int) -> None:
    wall_ns = seconds * NS_PER_S
    assert wall_ns // laid.tick_of(wall_ns) < 1 << 32


def random_trace(seed: int, spans: int = 500) -> Trace:
    chosen = np.random.default_rng(seed)
    made = trace()
    for number in range(4):
        made = made.thread(f"thread-{number}", start=float(chosen.integers(0, 50)))
        for _ in range(spans):
            state = (State.RUNNING, State.GIL_WAIT, State.SLEEP, State.IO_WAIT)[chosen.integers(4)]
            made = made.span(state, float(chosen.exponential(0.3)), at="a.py:1 in f")
    return made.build()


def test_who_ended_a_wait_is_the_same_looked_up_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    built = two_threads().build()
    whole = [lane.intervals.who.tolist() for lane in lay_out(built).lanes]
    monkeypatch.setattr(laid, "_AT_ONCE", 1)
    assert [lane.intervals.who.tolist() for lane in lay_out(built).lanes] == whole


@pytest.mark.parametrize("largest", [0, 255, 256, 65_535, 65_536, (1 << 32) - 1, 1 << 32])
def test_columns_are_as_narrow_as_their_numbers(largest: int) -> None:
    column = laid.narrow(np.array([0, largest]))
    assert column.tolist() == [0, largest]
    assert column.itemsize == (
        8 if largest >> 32 else 1 if largest < 256 else 2 if largest < 65_536 else 4
    )
    # No fractions: sums of lengths are times.
    assert np.issubdtype((5 + np.cumsum(column) - column).dtype, np.integer)


def test_boundaries_do_not_drift() -> None:
    built = random_trace(1)
    for lane in lay_out(built).lanes:
        if lane.kind is LaneKind.THREAD:
            thread = built.threads[lane.row]
            end = lane.start + int(lane.intervals.dur.sum())
            assert end == (thread.end_ns - built.start_ns) // 100


@pytest.mark.parametrize("most", [1, 7, 1000, 200_000])
def test_what_is_packed_comes_back(most: int) -> None:
    lanes = lay_out(random_trace(2)).lanes
    blocks = pack(lanes, most)
    assert all(sum(count for _, count in block.pieces) <= most for block in blocks[:20])
    parts: dict[int, list[Intervals]] = {}
    for block in blocks:
        for lane, piece in unpack(block):
            parts.setdefault(lane, []).append(piece)
    for number, lane in enumerate(lanes):
        for name in ("dur", "kind", "what", "who", "on"):
            back = np.concatenate([getattr(one, name) for one in parts[number]])
            assert np.array_equal(back, getattr(lane.intervals, name))


def test_packing_is_the_same_every_time() -> None:
    lanes = lay_out(random_trace(3, 50)).lanes
    assert pack(lanes) == pack(lanes)


def test_planes_are_bytes_of_one_weight() -> None:
    column = np.array([0x0102, 0x0304])
    assert width_of(column) == 2
    assert planes(column, 2) == bytes([2, 4, 1, 3])
    assert [width_of(np.array([one])) for one in (0, 255, 256, 65_535, 65_536)] == [1, 1, 2, 2, 4]


def test_the_longest_waits_come_first_and_expected_ones_not_at_all() -> None:
    view = timeline.build(builders.everything()).view
    assert isinstance(view, timeline.View)
    assert [one.length for one in view.waits] == ["40.0 ms", "20.0 ms", "10.0 ms"]
    assert view.waits[0].ended_by.startswith("MainThread in fetch")
    assert all(one.link.startswith("#timeline?t0=") for one in view.waits)


def test_without_states_it_says_what_to_do() -> None:
    missing = timeline.build(builders.report()).absence
    assert missing is not None
    assert missing.command.endswith("--with baseline,states")
