"""Tasks as lanes of the timeline and as tracks: states, stacks, and who ended the waits."""

from dataclasses import replace

from concurtrace.reports._places import Places
from concurtrace.reports.html.lanes import REASONS, Extra, LaneKind, lay_out
from concurtrace.reports.html.task_lanes import thing_text, with_tasks
from concurtrace.reports.perfetto import RENDERER

from concurtrace.model.report import Report
from tests import builders
from tests.builders_tasks import task_trace
from tests.builders_trace import MS, trace
from tests.perfetto_decoding import decode

RUN = trace().thread("MainThread").running(40).build()
TICKS = MS // 100


def test_a_task_is_in_one_state_at_every_instant_of_its_life() -> None:
    layout = with_tasks(lay_out(RUN), RUN, task_trace(RUN.start_ns)).layout
    _, ask, answer = layout.lanes
    told = [
        [(Extra(kind // REASONS).name.removeprefix("TASK_"), dur // TICKS) for kind, dur in pairs]
        for pairs in (
            zip(one.intervals.kind.tolist(), one.intervals.dur.tolist(), strict=True)
            for one in (ask, answer)
        )
    ]
    assert told[0] == [
        ("CREATED", 1), ("RUNNING", 1), ("AWAITING", 7), ("READY", 2), ("RUNNING", 2),
        ("AWAITING", 6), ("CANCELLING", 5), ("RUNNING", 1),
    ]  # fmt: skip
    assert told[1] == [("CREATED", 3), ("RUNNING", 6), ("AWAITING", 30)]


def test_a_wait_tells_its_line_what_it_was_for_and_who_ended_it() -> None:
    tasks = task_trace(RUN.start_ns)
    drawn = with_tasks(lay_out(RUN), RUN, tasks)
    _, ask, answer = drawn.layout.lanes
    lines = [
        [one.line for one in drawn.stacks.frames(what)] for what in ask.intervals.what.tolist()
    ]
    assert lines == [[20], [], [7], [7], [7], [7], [7], [7]]
    assert [one.line for one in drawn.stacks.frames(int(answer.intervals.what[-1]))] == [7]
    # Lanes count from 1: the thread, ask, answer.
    assert ask.intervals.who.tolist() == [0, 0, 3, 0, 0, 0, 0, 0]
    things = [thing_text(RUN, drawn, on, Places("/work")) for on in ask.intervals.on.tolist()]
    assert things == ["", "", "another task", "", "", "a timer", "", ""]


def test_stacks_of_threads_are_left_as_they_were() -> None:
    given = trace().thread("MainThread").running(5, at="own.py:3 in f").build()
    tasks = task_trace(given.start_ns)
    drawn = with_tasks(lay_out(given), given, tasks)
    for row in range(len(given.stacks.parent)):
        assert drawn.stacks.frames(row) == given.stacks.frames(row)


def with_recording() -> Report:
    report = builders.everything()
    assert report.recording.trace is not None
    tasks = task_trace(report.recording.trace.start_ns)
    return replace(report, recording=replace(report.recording, tasks=tasks))


def test_tasks_and_loops_are_tracks_of_the_trace_for_perfetto() -> None:
    made = decode(RENDERER.render(with_recording()))
    ask = [(start, end, name) for track, start, end, name in made.slices if track == "talk ask"]
    assert ask[2:5] == [
        (3 * MS, 10 * MS, "task awaiting"),
        (10 * MS, 12 * MS, "task ready, loop busy"),
        (12 * MS, 14 * MS, "task running"),
    ]
    assert (20 * MS, 25 * MS, "task cancelled, not ended") in ask
    loop = [one[1:] for one in made.slices if one[0] == "Loop in thread 100"]
    assert loop == [
        (2 * MS, 3 * MS, "talk ask"),
        (4 * MS, 10 * MS, "talk answer"),
        (12 * MS, 14 * MS, "talk ask"),
        (25 * MS, 26 * MS, "talk ask"),
    ]
    (flow,) = [one for one, left in made.leaves.items() if left[0] == "talk answer"]
    assert made.leaves[flow] == ("talk answer", 10 * MS)
    assert made.arrives[flow] == ("talk ask", 10 * MS)
    assert made.notes["for", "another task"] == 1
    assert any(key == "stack" and "chat.py:7" in value for key, value in made.notes)


def test_a_task_lane_is_in_the_layout_once() -> None:
    drawn = with_tasks(lay_out(RUN), RUN, task_trace(RUN.start_ns), most=1)
    kinds = [lane.kind for lane in drawn.layout.lanes]
    assert kinds == [LaneKind.THREAD, LaneKind.TASK]
