"""Recordings written by hand come back as what was written."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from concurtrace.errors import RunDataError
from concurtrace.model.spans import SpanFlag
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import EndedBy, ObjectKind
from concurtrace.recording import layout
from concurtrace.recording.processes import KnownProcess
from concurtrace.recording.read import Context, read_trace
from tests.unit.recording import watch_writer, writer
from tests.unit.recording.invariants import check
from tests.unit.recording.writer import START_NS, ProcessFile, empty_chunk, write_shared

US = 1_000
MS = 1_000_000


def test_spans_of_every_thread_come_back_in_order(tmp_path: Path) -> None:
    made = (
        ProcessFile(10)
        .thread(10).span(writer.NOGIL, 5 * MS).span(writer.RUNNING, 20 * MS).end()
        .thread(11, start=2 * MS).span(writer.STARTING, MS)
        .span(writer.GIL_WAIT, 9 * MS, waker=10, flags=4).span(writer.RUNNING, 3 * MS).end()
    )  # fmt: skip
    made.write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    main, worker = trace.threads
    assert [(end - start, state) for start, end, state, _ in trace.spans_of(main).rows()] == [
        (5 * MS, State.RUNNING_NOGIL),
        (20 * MS, State.RUNNING),
    ]
    spans = trace.spans_of(worker)
    assert spans.waker.tolist() == [0, 10, 0]
    assert spans.flags.tolist() == [0, SpanFlag.FORCED, SpanFlag.GIL_HELD]
    assert trace.rows_of(spans.waker, spans.end_ns).tolist() == [-1, 0, -1]
    assert (worker.start_ns, worker.end_ns) == (START_NS + 2 * MS, START_NS + 15 * MS)


def test_many_chunks_of_two_threads_are_kept_apart(tmp_path: Path) -> None:
    made = ProcessFile(10)
    for tid in (10, 11):
        made.thread(tid)
        for number in range(3 * writer.PER_CHUNK + 7):
            made.span(writer.RUNNING if number % 2 else writer.IO_WAIT, 2 * US + number + tid)
        made.end()
    made.write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    for thread in trace.threads:
        spans = trace.spans_of(thread)
        expected = [2 * US + number + thread.tid for number in range(3 * writer.PER_CHUNK + 7)]
        assert spans.dur_ns.tolist() == expected


def test_folded_time_is_in_the_totals_and_in_no_span(tmp_path: Path) -> None:
    made = (
        ProcessFile(10).thread(10)
        .span(writer.RUNNING, 10 * MS).folded(writer.IO_WAIT, 2 * MS, 900)
        .span(writer.RUNNING, 5 * MS).folded(writer.GIL_WAIT, MS, 50, told=False).end()
    )  # fmt: skip
    made.write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    (thread,) = trace.threads
    assert {state: total.ns for state, total in thread.totals.items()} == {
        State.RUNNING: 15 * MS,
        State.IO_WAIT: 2 * MS,
        State.GIL_WAIT: MS,
    }
    assert thread.totals[State.IO_WAIT].folded_count == 900
    assert sorted(zip(trace.folds.ns.tolist(), trace.folds.count.tolist(), strict=True)) == [
        (MS, 50),
        (2 * MS, 900),
    ]
    assert len(trace.spans) == 2


def test_a_span_longer_than_a_record_can_hold_is_one_span(tmp_path: Path) -> None:
    most = (1 << 40) - 1
    made = ProcessFile(10).thread(10).span(writer.RUNNING, MS)
    made.span(writer.SLEEP, most, flags=layout.SPAN_CONTINUED)
    made.span(writer.SLEEP, most, flags=layout.SPAN_CONTINUED)
    made.span(writer.SLEEP, 7, waker=3).span(writer.RUNNING, MS).end()
    made.write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert trace.spans.dur_ns.tolist() == [MS, 2 * most + 7, MS]
    assert trace.spans.waker.tolist() == [0, 3, 0]


def test_a_killed_process_ended_when_the_kernel_says_not_when_its_parent_looked(
    tmp_path: Path,
) -> None:
    made = ProcessFile(10, status=layout.ALIVE, process_row=1)
    made.thread(10, state=writer.RUNNING).span(writer.IO_WAIT, 4 * MS).write(tmp_path)
    row = {
        "pid": 10,
        "end_ns": START_NS + 90 * MS,
        "flags": layout.P_REAPED | layout.P_PYTHON,
        "wait_status": 9,
        "image_ns": START_NS,
    }
    write_shared(tmp_path, row)
    since = START_NS - watch_writer.START_NS
    watch_writer.write(tmp_path, tasks=[watch_writer.task(10, since, since + 7 * MS)])
    trace = read_trace(tmp_path)
    check(trace)
    assert trace.processes[0].end_ns == START_NS + 7 * MS
    assert [end - START_NS for _, end, _, _ in trace.spans.rows()] == [4 * MS, 7 * MS]


def test_a_killed_process_keeps_its_spans_and_the_one_it_was_in(tmp_path: Path) -> None:
    made = ProcessFile(10, status=layout.ALIVE, process_row=1)
    made.thread(10, state=writer.IO_WAIT, reason=2).span(writer.RUNNING, 4 * MS)
    made.write(tmp_path)
    row = {
        "pid": 10,
        "end_ns": START_NS + 10 * MS,
        "flags": layout.P_REAPED | layout.P_PYTHON,
        "wait_status": 9,
        "fork_ns": START_NS - MS,
        "image_ns": START_NS,
        "start_method": 2,
    }
    write_shared(tmp_path, row)
    trace = read_trace(tmp_path)
    check(trace)
    (process,) = trace.processes
    assert (process.ended_by, process.signal, process.ended_words) == (
        EndedBy.SIGNAL,
        9,
        "signal 9",
    )
    assert process.start_ns == START_NS - MS
    assert list(trace.spans.rows())[1] == (
        START_NS + 4 * MS,
        START_NS + 10 * MS,
        State.IO_WAIT,
        Reason.IPC,
    )


def test_a_process_of_unknown_end_lasts_until_the_launcher_stopped_watching(tmp_path: Path) -> None:
    made = ProcessFile(10, status=layout.ALIVE)
    made.thread(10, state=writer.SLEEP).span(writer.RUNNING, MS).write(tmp_path)
    trace = read_trace(tmp_path, Context(until_ns=START_NS + 50 * MS))
    check(trace)
    assert trace.processes[0].ended_by is EndedBy.UNKNOWN
    assert trace.threads[0].ns(State.SLEEP) == 49 * MS


def test_a_record_lost_by_a_kill_is_not_counted_twice(tmp_path: Path) -> None:
    """The total was raised, the record and the new start of the open span were not yet there."""
    made = ProcessFile(10, status=layout.ALIVE)
    made.thread(10, state=writer.RUNNING).span(writer.RUNNING, 4 * MS)
    made.slots[0].totals[writer.RUNNING][0] += 3 * MS
    made.write(tmp_path)
    trace = read_trace(tmp_path, Context(until_ns=START_NS + 10 * MS))
    check(trace)
    assert trace.threads[0].ns(State.RUNNING) == 10 * MS


def test_chunks_that_were_never_used_are_passed_over(tmp_path: Path) -> None:
    made = ProcessFile(10).thread(10).span(writer.RUNNING, MS).end()
    content = made.content()
    size = layout.CHUNK_SIZE
    head = bytearray(content[:size])
    head[16:20] = (len(content) // size + 2).to_bytes(4, "little")
    (tmp_path / f"10-{START_NS}.ctr").write_bytes(
        bytes(head) + empty_chunk() + content[size:] + empty_chunk()
    )
    trace = read_trace(tmp_path)
    check(trace)
    assert trace.spans.dur_ns.tolist() == [MS]
    assert trace.losses == ()


def test_a_file_that_is_still_growing_is_read_up_to_its_count(tmp_path: Path) -> None:
    path = ProcessFile(10).thread(10).span(writer.RUNNING, MS).end().write(tmp_path)
    with path.open("ab") as file:
        file.write(b"\3" * layout.CHUNK_SIZE)
    trace = read_trace(tmp_path)
    assert (len(trace.spans), trace.losses) == (1, ())


def test_a_file_cut_off_anywhere_gives_what_is_left_and_says_so(tmp_path: Path) -> None:
    made = ProcessFile(10).thread(10)
    for _ in range(2 * writer.PER_CHUNK):
        made.span(writer.RUNNING, US)
    content = made.end().content()
    path = tmp_path / f"10-{START_NS}.ctr"
    for size in range(0, len(content), 4096):
        path.write_bytes(content[:size])
        if size < layout.CHUNK_SIZE:
            with pytest.raises(RunDataError, match=r"can't be used"):
                read_trace(tmp_path)
            continue
        trace = read_trace(tmp_path)
        check(trace)
        assert any("cut off" in loss.reason for loss in trace.losses)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"#!/bin/sh\n" * 9000, "not a recording"),
        (ProcessFile(1, version=9).content(), "format 9"),
        (ProcessFile(1, chunk_size=4096).content(), "header is damaged"),
    ],
)
def test_a_foreign_file_is_refused_with_a_reason(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "1-1.ctr").write_bytes(content)
    with pytest.raises(RunDataError, match=said):
        read_trace(tmp_path)
    ProcessFile(10).thread(10).span(writer.RUNNING, MS).end().write(tmp_path)
    trace = read_trace(tmp_path)
    assert [loss.what for loss in trace.losses] == ["process file 1-1.ctr"]
    assert len(trace.spans) == 1


def test_stacks_and_objects_get_names_wherever_they_come_in_the_file(tmp_path: Path) -> None:
    made = ProcessFile(10)
    stack = made.frames(1, ("/srv/a.py", "inner", 7), ("/srv/a.py", "outer", 3))
    made.string(900, "10.0.0.1:80").thing(5, 19, 77, 900, created_ns=START_NS)
    made.meta.reverse()
    made.thread(10).span(writer.IO_WAIT, MS, reason=1, stack=stack, thing=5).end()
    made.write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    frames = trace.stacks.frames(int(trace.spans.stack[0]))
    assert [(one.function.name, one.line) for one in frames] == [("inner", 7), ("outer", 3)]
    thing = trace.objects[int(trace.spans.object[0])]
    assert (thing.kind, thing.text, thing.key) == (ObjectKind.TCP, "10.0.0.1:80", 77)


def test_equal_stacks_of_two_processes_are_one(tmp_path: Path) -> None:
    for pid, start in ((10, START_NS), (11, START_NS + MS)):
        made = ProcessFile(pid, start)
        stack = made.frames(pid, ("/srv/a.py", "work", 7))
        made.thread(pid).span(writer.SLEEP, MS, stack=stack).end().write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert trace.spans.stack.tolist() == [1, 1]


def test_ids_that_are_missing_mean_none(tmp_path: Path) -> None:
    made = ProcessFile(10).stack(3, parent=2, code=8, line=5)
    made.thread(10).span(writer.SLEEP, MS, stack=3).span(writer.SLEEP, MS, stack=99, thing=99)
    made.end().write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert [frame.line for frame in trace.stacks.frames(int(trace.spans.stack[0]))] == [5]
    assert (trace.spans.stack[1], trace.spans.object[1]) == (0, 0)


def test_a_circle_of_frames_ends(tmp_path: Path) -> None:
    made = ProcessFile(10).stack(1, parent=2, code=1, line=1).stack(2, parent=1, code=1, line=2)
    made.thread(10).span(writer.SLEEP, MS, stack=1).end().write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert len(trace.stacks.frames(int(trace.spans.stack[0]))) == 2


def test_records_out_of_order_or_bounds_are_dropped_and_counted(tmp_path: Path) -> None:
    made = ProcessFile(10).thread(10).span(writer.RUNNING, MS)
    made.record(0, writer.SLEEP, MS).record(1 << 47, writer.SLEEP, MS)
    made.span(writer.RUNNING, MS).end().write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert trace.spans.dur_ns.tolist() == [MS, MS]
    assert [loss.reason for loss in trace.losses] == ["parts of the file are damaged (2)"]


def test_an_exec_continues_the_process(tmp_path: Path) -> None:
    first = ProcessFile(10, status=layout.EXECED, process_row=1)
    first.thread(10, state=writer.RUNNING).span(writer.RUNNING, 5 * MS)
    first.write(tmp_path)
    second = ProcessFile(10, START_NS + 6 * MS, start_method=layout.START_EXEC, process_row=1)
    second.argv = b"python\0other.py\0"
    second.thread(10).span(writer.RUNNING, 5 * MS).end().write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    (process,) = trace.processes
    assert (process.images, process.command[-1], len(trace.threads)) == (2, "other.py", 2)
    assert (process.start_ns, process.end_ns) == (START_NS, START_NS + 11 * MS)


def test_a_pid_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    for start in (START_NS, START_NS + 20 * MS):
        made = ProcessFile(10, start, start_method=2)
        made.thread(10).span(writer.RUNNING, 5 * MS).end().write(tmp_path)
    ProcessFile(11, START_NS + 21 * MS, ppid=10, start_method=2).thread(11).span(
        writer.GIL_WAIT, MS, waker=10
    ).end().write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert [process.pid for process in trace.processes] == [10, 10, 11]
    assert trace.processes[2].parent == 1
    waits = trace.spans_of(trace.threads[2])
    assert trace.rows_of(waits.waker, waits.end_ns).tolist() == [1]


def test_programs_without_python_are_one_span_with_their_command(tmp_path: Path) -> None:
    made = ProcessFile(10, process_row=1)
    made.thread(10).span(writer.CHILD_WAIT, 50 * MS).end().write(tmp_path)
    write_shared(
        tmp_path,
        {"pid": 10, "flags": layout.P_PYTHON | layout.P_SELF_REPORTED, "image_ns": START_NS},
        {
            "pid": 20,
            "ppid": 10,
            "start_method": 3,
            "fork_ns": START_NS + 5 * MS,
            "end_ns": START_NS + 9 * MS,
            "flags": layout.P_REAPED,
            "wait_status": 2 << 8,
            "command": ["/bin/sh", "-c", "exit 2"],
        },
        {"pid": 21, "ppid": 10, "flags": layout.P_DEAD_ROW},
        {"pid": 0},
    )
    trace = read_trace(tmp_path)
    check(trace)
    _, shell = trace.processes
    assert (shell.name, shell.command, shell.parent) == ("sh", ("/bin/sh", "-c", "exit 2"), 0)
    assert (shell.exit_code, shell.end_ns - shell.start_ns) == (2, 4 * MS)
    assert shell.first == shell.last


def test_a_process_told_by_itself_and_by_its_parent_is_one(tmp_path: Path) -> None:
    times = itertools.count(START_NS, MS)
    own = {"pid": 20, "ppid": 1, "flags": layout.P_SELF_REPORTED, "fork_ns": next(times) + 3 * MS}
    told = {"pid": 20, "ppid": 10, "start_method": 5, "fork_ns": START_NS + MS, "command": ["ls"]}
    write_shared(tmp_path, own, told)
    (process,) = read_trace(tmp_path, Context(until_ns=START_NS + 10 * MS)).processes
    assert (process.parent_pid, process.start_ns) == (10, START_NS + MS)


def test_names_come_from_the_registry(tmp_path: Path) -> None:
    made = ProcessFile(10, start_method=2)
    made.thread(10, name=b"python").span(writer.RUNNING, MS).end()
    made.thread(11, name=b"feeder\0rest of a longer name").span(writer.RUNNING, MS).end()
    made.write(tmp_path)
    known = KnownProcess(10, START_NS + MS, "Process-1", "spawn", {10: "MainThread"})
    other = KnownProcess(10, START_NS + 9_000_000_000, "later", "fork")
    trace = read_trace(tmp_path, Context((known, other)))
    assert (trace.processes[0].name, trace.processes[0].started_by) == ("Process-1", "spawn")
    assert [thread.name for thread in trace.threads] == ["MainThread", "feeder"]


def test_gil_figures_come_with_whom_was_waited_for(tmp_path: Path) -> None:
    pairs = np.zeros(layout.PAIR_COUNT, layout.PAIR)
    pairs[0], pairs[1] = (11, 2, 3 * MS), (12, 9, 8 * MS)
    made = ProcessFile(10).thread(
        10,
        gil_held_ns=7 * MS,
        gil_holds=3,
        gil_wait_ns=12 * MS,
        gil_waits=12,
        gil_longest_wait_ns=2 * MS,
        gil_forced=1,
        pairs=pairs,
        pair_other=(0, 1, MS),
    )
    made.span(writer.RUNNING, 7 * MS).span(writer.GIL_WAIT, 12 * MS).end().write(tmp_path)
    gil = read_trace(tmp_path).threads[0].gil
    assert (gil.held_ns, gil.holds, gil.wait_ns, gil.waits) == (7 * MS, 3, 12 * MS, 12)
    assert [(one.tid, one.ns, one.count) for one in gil.waited_for] == [
        (12, 8 * MS, 9),
        (11, 3 * MS, 2),
        (0, MS, 1),
    ]


def test_the_order_of_locks_is_told_in_rows_of_the_whole_trace(tmp_path: Path) -> None:
    first = ProcessFile(10, lost_orders=7).thread(10).span(writer.RUNNING, MS).end()
    first.thing(1, 1, 77).write(tmp_path)
    second = ProcessFile(20, start_ns=START_NS + MS)
    second.thread(20).span(writer.RUNNING, MS).end()
    place = second.frames(1, ("a.py", "f", 3))
    second.thing(5, 1, 78, handed=2).thing(6, 1, 79).thing(7, 1, 80)
    second.order(6, [7, 5], [20, 21], place).order(5, [6], [20, 21, 22, 23])
    second.order(5, [99], [20]).order(99, [5], [20]).order(5, [6], []).write(tmp_path)
    trace = read_trace(tmp_path)
    row = {one.key: number for number, one in enumerate(trace.objects)}
    nested, flat = trace.orders
    assert (nested.taken, nested.held) == (row[79], (row[80], row[78]))
    assert (nested.tids, nested.many, flat.many) == ((20, 21), False, True)
    assert [one.line for one in trace.stacks.frames(nested.stack)] == [3]
    assert trace.objects[row[78]].handed == 2
    assert [loss.what for loss in trace.losses] == ["the order of locks in 7 cases in process 10"]


def test_a_short_wait_for_a_thread_to_end_is_told_by_its_lock(tmp_path: Path) -> None:
    made = ProcessFile(10)
    stack = made.frames(1, ("/usr/lib/python3.11/threading.py", "Thread._set_tstate_lock", 1020))
    made.thing(1, 1, 77, created_stack=stack).thing(2, 1, 78)
    made.thread(10).span(writer.LOCK_WAIT, 3 * US, thing=1).span(writer.LOCK_WAIT, 3 * US, thing=2)
    made.end().write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert [row[2:] for row in trace.spans.rows()] == [
        (State.CONDITION_WAIT, Reason.JOIN),
        (State.LOCK_WAIT, Reason.NONE),
    ]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "-W", "ignore", "/srv/app.py", "-c", "x"], "app.py"),
        (["python", "-m", "http.server", "80"], "http.server"),
        (["python", "-c", "print(1)"], "python -c"),
        (
            ["python", "-c", "from multiprocessing.resource_tracker import main;main(5)"],
            "resource tracker",
        ),
        (["/usr/bin/python3"], "python3"),
    ],
)
def test_a_process_without_a_name_is_called_after_what_it_runs(
    tmp_path: Path, command: list[str], name: str
) -> None:
    made = ProcessFile(10)
    made.argv = b"".join(part.encode() + b"\0" for part in command)
    made.thread(10).span(writer.RUNNING, MS).end().write(tmp_path)
    assert read_trace(tmp_path).processes[0].name == name
