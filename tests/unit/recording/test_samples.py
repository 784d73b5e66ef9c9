"""Samples and their stacks, from tables written by hand."""

import struct
from pathlib import Path

from concurtrace.model.recording import Function
from concurtrace.model.spans import NO_CORE, Frame
from concurtrace.model.states import STATES, State
from concurtrace.recording.layout import STATE_OF
from concurtrace.recording.samples import read_samples
from concurtrace.recording.tables import LocalStacks, StackTable
from tests.unit.recording import watch_writer
from tests.unit.recording.watch_writer import code, stack, string

GIL_HELD, ON_CPU, CPU_KNOWN = 1, 2, 4
NAMES = (
    string(1, "outer")
    + string(2, "größer")
    + string(3, "/a/b.py")
    + code(1, 1, 3, 10)
    + code(2, 2, 3, 20)
    + stack(1, 0, 1, 12)
    + stack(2, 1, 2, 25)
)


def _frames(folder: Path) -> list[list[tuple[str, int]]]:
    table = StackTable()
    rows = read_samples(folder, table).samples.stack.tolist()
    stacks = table.finish()
    return [[(one.function.name, one.line) for one in stacks.frames(row)] for row in rows]


def test_stacks_are_spelled_out_innermost_first(tmp_path: Path) -> None:
    samples = [
        {"time_ns": at, "tid": 7, "stack": number} for at, number in ((2, 2), (1, 1), (3, 0))
    ]
    watch_writer.write(tmp_path, samples=samples, names=NAMES)
    assert _frames(tmp_path) == [[("outer", 12)], [("größer", 25), ("outer", 12)], []]


def test_stacks_share_the_table_of_the_trace(tmp_path: Path) -> None:
    table = StackTable()
    function = Function("/a/b.py", 10, "outer")
    known = table.add(LocalStacks({5: function}, {9: (0, 5, 12)}))
    watch_writer.write(tmp_path, samples=[{"time_ns": 1, "tid": 7, "stack": 1}], names=NAMES)
    read = read_samples(tmp_path, table)
    assert read.samples.stack.tolist() == [known[9]]
    assert table.finish().frames(int(known[9])) == (Frame(function, 12),)


def test_the_core_decides_what_a_thread_did(tmp_path: Path) -> None:
    running, io = STATE_OF.index(State.RUNNING), STATE_OF.index(State.IO_WAIT)
    cases = [
        (running, GIL_HELD, State.RUNNING, NO_CORE),
        (running, GIL_HELD | CPU_KNOWN, State.RUNNABLE, NO_CORE),
        (running, GIL_HELD | CPU_KNOWN | ON_CPU, State.RUNNING, 3),
        (io, CPU_KNOWN | ON_CPU, State.RUNNING_NOGIL, 3),
        (io, GIL_HELD | CPU_KNOWN | ON_CPU, State.RUNNING, 3),
    ]
    samples = [
        {"time_ns": number, "tid": 7, "state": state, "flags": flags, "cpu": 3, "gap_ns": 40}
        for number, (state, flags, _, _) in enumerate(cases)
    ]
    watch_writer.write(tmp_path, samples=samples)
    read = read_samples(tmp_path, StackTable())
    found = [STATES[one] for one in read.samples.state.tolist()]
    assert found == [state for _, _, state, _ in cases]
    assert read.samples.core.tolist() == [core for *_, core in cases]
    assert read.samples.weight_ns.tolist() == [40] * len(cases)


def test_how_the_sampling_went_is_told(tmp_path: Path) -> None:
    head = {
        "ticks": 90,
        "ticks_late": 5,
        "ticks_missed": 10,
        "samples": 100,
        "samples_torn": 6,
        "samples_failed": 8,
        "samples_dropped": 7,
        "images_blind": 2,
    }
    watch_writer.write(tmp_path, head=head)
    read = read_samples(tmp_path, StackTable())
    sampling = read.sampling
    assert (sampling.ticks, sampling.late, sampling.missed) == (90, 5, 10)
    assert [one.what.partition(" ")[0] for one in read.losses] == ["Python", "6", "8", "7"]
    # One in a hundred is no loss worth a line, and a few never are.
    few = {"samples": 500, "samples_torn": 5, "samples_failed": 3}
    watch_writer.write(tmp_path, head=few)
    assert read_samples(tmp_path, StackTable()).losses == ()


def test_names_that_are_damaged_are_left_out_and_counted(tmp_path: Path) -> None:
    foreign = struct.pack("<IIQ", 77, 16, 0)
    cut = struct.pack("<II", 1, 4000)
    homeless = code(3, 99, 3, 1)
    samples = [{"time_ns": 1, "tid": 7, "stack": 2}]
    watch_writer.write(tmp_path, samples=samples, names=NAMES + foreign + homeless + cut)
    assert _frames(tmp_path) == [[("größer", 25), ("outer", 12)]]
    (loss,) = read_samples(tmp_path, StackTable()).losses
    assert loss.reason.endswith("(3)")
