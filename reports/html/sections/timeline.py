"""Timeline: what every thread did when, on a canvas, and the longest waits as a table."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.report import Report
from concurtrace.model.spans import Frame
from concurtrace.model.states import STATES, Reason, State
from concurtrace.model.trace import Trace
from concurtrace.units import count_text, time_text

from ..._places import Places
from ..._states import WORDS, words_of
from ..._words import absence
from .. import lanes as laid
from ..lanes import Intervals, LaneKind, Layout, lay_out
from ..links import interval
from ..naming import (
    EXTRAS,
    frame_text,
    lane_names,
    lane_text,
    reason_word,
    telling,
)
from ..pack import COLUMNS, pack
from ..section import Section
from ..strip import strip
from ..task_lanes import Drawn, thing_text, with_tasks

_EACH = 10
_MARKED = 20
_LISTED = (
    State.GIL_WAIT,
    State.GIL_BLOCKED,
    State.LOCK_WAIT,
    State.RUNNABLE,
    State.CONDITION_WAIT,
    State.IO_WAIT,
    State.CHILD_WAIT,
)
"""States whose longest spans are listed; an expected wait of a pool's worker never is."""


@dataclass(frozen=True)
class Wait:
    """One of the longest waits; ``link`` opens it in the timeline."""

    thread: str
    state: str
    start: str
    length: str
    where: str
    ended_by: str
    link: str


@dataclass(frozen=True)
class View:
    """The longest waits, and what the picture leaves out."""

    waits: tuple[Wait, ...]
    intervals: str
    note: str


def build(report: Report) -> Section:
    """Show the timeline."""
    trace = report.recording.trace
    if report.states is None or trace is None or not trace.threads:
        missing = absence(report, "What threads did when was", "states")
        return Section("timeline", "Timeline", absence=missing)
    drawn = with_tasks(lay_out(trace, path=report.path), trace, report.recording.tasks)
    layout = drawn.layout
    names = lane_names(report, layout)
    data, packed = _data(report, trace, drawn, names)
    many = sum(len(lane.intervals) for lane in layout.lanes)
    view = View(_waits(report, trace, layout, names), count_text(many), _note(layout))
    return Section("timeline", "Timeline", _answer(trace, layout), view, None, data, packed)


def _answer(trace: Trace, layout: Layout) -> str:
    threads = sum(lane.kind is LaneKind.THREAD for lane in layout.lanes)
    noun = "thread" if threads == 1 else "threads"
    processes = len(trace.processes)
    where = f" of {processes} processes" if processes > 1 else ""
    return f"What {count_text(threads)} {noun}{where} did in {time_text(trace.wall_ns)}."


def _note(layout: Layout) -> str:
    if not layout.left_out_ns:
        return ""
    return (
        f"Of the very many spans, those shorter than {time_text(layout.left_out_ns)} are drawn as"
        " “too short to tell apart”; the sums in the other sections are exact."
    )


def _data(
    report: Report, trace: Trace, drawn: Drawn, names: list[tuple[str, str]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Lay out what the script needs: words, lanes and tables as JSON, intervals as blocks."""
    layout = drawn.layout
    kinds = _used(layout, "kind", always=())
    stacks, frames, stack_rows = _stacks(report, drawn)
    objects = _used(layout, "on")
    lanes = tuple(
        replace(
            lane,
            intervals=Intervals(
                lane.intervals.dur,
                _renumber(lane.intervals.kind, kinds),
                _renumber(lane.intervals.what, stack_rows),
                lane.intervals.who,
                _renumber(lane.intervals.on, objects),
            ),
        )
        for lane in layout.lanes
    )
    blocks = pack(lanes)
    states, numbers = _states(kinds, gil=report.environment.gil)
    places = Places.of(report)
    data = {
        "tick": layout.tick_ns,
        "length": max(1, layout.length),
        "states": states,
        "kinds": [[numbers[one // laid.REASONS], reason_word(one % laid.REASONS)] for one in kinds],
        "lanes": [
            [group, name, lane.kind.value, lane.start, len(lane.intervals)]
            for lane, (group, name) in zip(lanes, names, strict=True)
        ],
        "blocks": [[one.pieces, one.widths] for one in blocks],
        "widths": np.max([[1] * COLUMNS, *(one.widths for one in blocks)], axis=0).tolist(),
        "stacks": stacks,
        "frames": frames,
        "marks": _marks(trace, layout, numbers),
        "strip": strip(layout, numbers),
        "objects": [thing_text(trace, drawn, row, places) for row in objects.tolist()],
    }
    return {"timeline": data}, {f"timeline-{n}": one.text for n, one in enumerate(blocks)}


def _marks(trace: Trace, layout: Layout, numbers: dict[int, int]) -> list[list[int]]:
    """List the longest waits of every state: lane, first and last tick, state.

    A lone wait may be far too short to be seen among what its pixel holds.
    """
    spans = trace.spans
    lanes = {
        lane.row: number for number, lane in enumerate(layout.lanes) if lane.kind is LaneKind.THREAD
    }
    found = []
    for rows in _longest(trace, _MARKED):
        for row in rows.tolist():
            times = (int(spans.start_ns[row]), int(spans.end_ns[row]))
            first, last = ((one - trace.start_ns) // layout.tick_ns for one in times)
            state = numbers.get(int(spans.state[row]))
            if state is not None:
                found.append([lanes[int(trace.span_threads[row])], first, last, state])
    return found


def _longest(trace: Trace, most: int) -> list[NDArray[np.intp]]:
    """Find the longest spans of every state that is listed, expected waits left out."""
    spans = trace.spans
    expected = spans.reason == Reason.IDLE_WORKER.code
    found = []
    for state in _LISTED:
        rows = np.flatnonzero((spans.state == state.code) & ~expected)
        lengths = -(spans.end_ns[rows] - spans.start_ns[rows])
        if len(rows) > most:
            limit = np.partition(lengths, most - 1)[most - 1]
            rows, lengths = rows[lengths <= limit], lengths[lengths <= limit]
        found.append(rows[np.argsort(lengths, kind="stable")[:most]])
    return found


def _used(layout: Layout, column: str, always: tuple[int, ...] = (0,)) -> NDArray[np.int64]:
    """List the different values of a column over all lanes, in order."""
    # All are small numbers: marking those that are there is much faster than sorting.
    parts = [np.flatnonzero(np.bincount(getattr(one.intervals, column))) for one in layout.lanes]
    return np.unique(np.concatenate([np.array(always, np.int64), *parts]))


def _renumber(column: laid.Numbers, used: NDArray[np.int64]) -> NDArray[Any]:
    """Tell the place of every value among those used, as numbers as narrow as can be."""
    narrow = np.min_scalar_type(len(used))
    table = np.zeros(int(used[-1]) + 1 if len(used) else 1, narrow)
    table[used] = np.arange(len(used), dtype=narrow)
    return table[column]


def _states(kinds: NDArray[np.int64], *, gil: bool) -> tuple[list[list[str]], dict[int, int]]:
    """List the states that occur, in the order of every stack: name, token, pattern, meaning."""
    codes = set((kinds // laid.REASONS).tolist())
    rows: list[list[str]] = []
    numbers: dict[int, int] = {}
    for state in WORDS:
        if state.code in codes:
            words = words_of(state, gil=gil)
            numbers[state.code] = len(rows)
            rows.append([words.name, words.token, words.pattern, STATES[state.code].value])
    for extra, told in EXTRAS.items():
        if extra in codes:
            numbers[int(extra)] = len(rows)
            rows.append(list(told))
    return rows, numbers


def _stacks(report: Report, drawn: Drawn) -> tuple[list[list[int]], list[str], NDArray[np.int64]]:
    """Give the stacks that occur: rows of (parent, frame), the frames' names, the table's rows.

    Callers come along, so the rows are those that occur and all that lead to them.
    """
    wanted = set(_used(drawn.layout, "what").tolist())
    known = drawn.stacks
    parents = known.parent
    for row in tuple(wanted):
        at = int(parents[row])
        while at and at not in wanted:
            wanted.add(at)
            at = int(parents[at])
    rows = np.array(sorted(wanted), np.int64)
    places = Places.of(report)
    frames: dict[str, int] = {"": 0}
    table = [[0, 0]]
    for row in rows[1:].tolist():
        function = known.functions[int(known.code[row])]
        text = frame_text(Frame(function, int(known.line[row])), places)
        parent = int(np.searchsorted(rows, int(parents[row])))
        table.append([parent, frames.setdefault(text, len(frames))])
    return table, list(frames), rows


def _waits(
    report: Report, trace: Trace, layout: Layout, names: list[tuple[str, str]]
) -> tuple[Wait, ...]:
    """List the longest waits: the longest of every state first, then the second longest of each."""
    spans = trace.spans
    chosen = _longest(trace, _EACH)
    ranks = [np.arange(len(one)) for one in chosen]
    together, rank = np.concatenate(chosen), np.concatenate(ranks)
    together = together[np.lexsort((-spans.dur_ns[together], rank))]
    places = Places.of(report)
    numbers = {
        lane.row: number for number, lane in enumerate(layout.lanes) if lane.kind is LaneKind.THREAD
    }
    return tuple(_wait(row, report, trace, numbers, names, places) for row in together.tolist())


def _wait(
    row: int,
    report: Report,
    trace: Trace,
    numbers: dict[int, int],
    names: list[tuple[str, str]],
    places: Places,
) -> Wait:
    spans = trace.spans
    start, end = int(spans.start_ns[row]) - trace.start_ns, int(spans.end_ns[row]) - trace.start_ns
    lane = numbers[int(trace.span_threads[row])]
    reason = reason_word(int(spans.reason[row]))
    state = words_of(STATES[int(spans.state[row])], gil=report.environment.gil).name
    frames = trace.stacks.frames(int(spans.stack[row]))
    waker = trace.rows_of(spans.waker[row : row + 1], spans.end_ns[row : row + 1])[0]
    return Wait(
        thread=lane_text(names, lane),
        state=f"{state} ({reason})" if reason else state,
        start=time_text(start),
        length=time_text(end - start),
        where=frame_text(telling(frames, places), places) if frames else "not known",
        ended_by=lane_text(names, numbers[int(waker)]) if waker >= 0 else "not known",
        link=interval(trace, row, lane),
    )
