"""Collections and queues of a recording come back as what was written, as far as it is whole."""

from pathlib import Path

import numpy as np

from concurtrace.model.runtime import Generation
from concurtrace.recording import layout
from concurtrace.recording.read import read_trace
from tests.unit.recording.writer import RUNNING, START_NS, ProcessFile, write_shared

MS = 1_000_000


def collections(*rows: tuple[int, int, int, int]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.array(list(rows), layout.COLLECTIONS)


def test_collections_are_told_where_somebody_counted_them(tmp_path: Path) -> None:
    told = collections((5, 50, 20, 7), (1, 9, 9, 0), (0, 0, 0, 0))
    ProcessFile(10, flags=layout.H_COLLECTIONS, collections=told).thread(10).write(tmp_path)
    ProcessFile(20, start_ns=START_NS + 1, collections=told).thread(20).write(tmp_path)
    first, second = read_trace(tmp_path).processes
    assert first.collections == (Generation(5, 50, 20, 7), Generation(1, 9, 9, 0), Generation())
    assert second.collections is None


def test_collections_of_all_programs_of_a_process_add_up(tmp_path: Path) -> None:
    one, other = collections(*[(1, 50, 20, 7)] * 3), collections(*[(2, 30, 30, 1)] * 3)
    counted = {"flags": layout.H_COLLECTIONS, "process_row": 1}
    first = ProcessFile(10, status=layout.EXECED, collections=one, **counted)
    first.thread(10).span(RUNNING, MS).end().write(tmp_path)
    later = START_NS + MS
    second = ProcessFile(
        10, start_ns=later, start_method=layout.START_EXEC, collections=other, **counted
    )
    second.thread(10).span(RUNNING, MS).end().write(tmp_path)
    write_shared(tmp_path, {"pid": 10, "ppid": 1, "flags": layout.P_PYTHON, "image_ns": later})
    (process,) = read_trace(tmp_path).processes
    assert process.collections == (Generation(3, 80, 30, 8),) * 3


def test_what_went_through_a_queue_is_told_from_its_length_and_its_moves(tmp_path: Path) -> None:
    made = ProcessFile(10).thread(10).span(RUNNING, 9 * MS).end()
    at = made.frames(1, ("main", "app.py", 7))
    readings = [(START_NS + 1, 40, 40), (START_NS + 9, 30, 90)]
    made.queue(readings, created_stack=at, created_ns=START_NS, creator_tid=10).write(tmp_path)
    trace = read_trace(tmp_path)
    (queue,) = trace.queues
    assert (queue.lengths, queue.puts, queue.gets) == ((40, 30), (40, 60), (0, 30))
    assert (queue.times_ns, queue.created_ns) == ((START_NS + 1, START_NS + 9), START_NS)
    assert [frame.line for frame in trace.stacks.frames(queue.created_stack)] == [7]


def test_readings_that_were_being_moved_when_the_end_came_are_left_out(tmp_path: Path) -> None:
    made = ProcessFile(10).thread(10).span(RUNNING, 9 * MS).end()
    times = [1, 3, 5, 2, 4, 6, 1 << 61]
    made.queue([(START_NS + time, 40, 40) for time in times]).write(tmp_path)
    (queue,) = read_trace(tmp_path).queues
    assert [time - START_NS for time in queue.times_ns] == [1, 3, 5, 6]
