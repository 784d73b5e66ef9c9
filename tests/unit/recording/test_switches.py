"""Slices to stretches on cores, from tables written by hand."""

import errno
import json
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import concurtrace
from concurtrace.model.spans import NO_CORE, Left, OnCore
from concurtrace.recording import watched
from concurtrace.recording.files import UnreadableError
from concurtrace.recording.switches import read_switches
from concurtrace.recording.tables import StackTable
from concurtrace.recording.watch import read_watch
from tests.unit.recording import watch_writer
from tests.unit.recording.watch_writer import CONTINUED, CUT, FOLD, PREEMPTED, START_NS, piece

ASLEEP, PUT_OFF, UNKNOWN = (one.value for one in (Left.ASLEEP, Left.PREEMPTED, Left.STILL_ON))


def _rows(on: OnCore | None) -> list[tuple[int, int, int, int, int]]:
    assert on is not None
    start, end = (on.start_ns - START_NS).tolist(), (on.end_ns - START_NS).tolist()
    return list(zip(on.tid.tolist(), start, end, on.core.tolist(), on.left.tolist(), strict=True))


def test_slices_are_sorted_by_thread_and_time(tmp_path: Path) -> None:
    slices = (piece(8, 0, 5, 1), piece(7, 3, 4, 0, PREEMPTED), piece(8, 9, 1, 0), piece(7, 10, 2))
    watch_writer.write(tmp_path, slices=slices)
    assert _rows(read_switches(tmp_path).on_core) == [
        (7, 3, 7, 0, PUT_OFF),
        (7, 10, 12, 0, ASLEEP),
        (8, 0, 5, 1, ASLEEP),
        (8, 9, 10, 0, ASLEEP),
    ]


def test_what_is_cut_or_goes_on_says_that_nothing_is_known_behind_it(tmp_path: Path) -> None:
    slices = (piece(7, 0, 5, 1, CONTINUED), piece(7, 5, 5, 1), piece(7, 20, 2, 0, CUT | PREEMPTED))
    watch_writer.write(tmp_path, slices=slices)
    assert _rows(read_switches(tmp_path).on_core) == [
        (7, 0, 5, 1, UNKNOWN),
        (7, 5, 10, 1, ASLEEP),
        (7, 20, 22, 0, UNKNOWN),
    ]


def test_a_fold_is_a_window_of_which_nothing_is_known(tmp_path: Path) -> None:
    # Sums that look like a slice, a fold and a gap, if they are taken for one.
    sums = [watch_writer.folded(2 << 60 | 77, 3, 1), watch_writer.folded(5, 0, 0)]
    slices = (
        piece(7, 0, 5),
        piece(7, 10, 90, 1, FOLD),
        sums[0],
        piece(7, 100, 50, 1, FOLD),
        sums[1],
        piece(7, 200, 5),
    )
    watch_writer.write(tmp_path, slices=slices)
    switches = read_switches(tmp_path)
    assert _rows(switches.on_core) == [
        (7, 0, 5, 0, ASLEEP),
        (7, 10, 10, NO_CORE, UNKNOWN),
        (7, 100, 100, NO_CORE, UNKNOWN),
        (7, 200, 205, 0, ASLEEP),
    ]
    assert len(switches.gaps_ns) == 0


def test_a_gap_hides_every_thread_that_lived_then(tmp_path: Path) -> None:
    tasks = [
        watch_writer.task(7),
        watch_writer.task(8, 0, 30),
        watch_writer.task(9, 20, 40),
        watch_writer.task(10, 60),
    ]
    watch_writer.write(tmp_path, tasks=tasks, slices=(piece(7, 0, 5), piece(0, 35, 15)))
    switches = read_switches(tmp_path)
    assert (switches.gaps_ns - START_NS).tolist() == [[35, 50]]
    assert _rows(switches.on_core) == [
        (7, 0, 5, 0, ASLEEP),
        (7, 35, 35, NO_CORE, UNKNOWN),
        (9, 35, 35, NO_CORE, UNKNOWN),
    ]


def test_a_target_that_was_never_calm_has_readings_alone(tmp_path: Path) -> None:
    loads = [
        {"time_ns": 30, "cpu_ns": 9, "delay_ns": 2, "tid": 7, "cpu": 1},
        {"time_ns": 10, "cpu_ns": 4, "delay_ns": 1, "tid": 8, "cpu": 0},
        {"time_ns": 20, "cpu_ns": 5, "delay_ns": 1, "tid": 7, "cpu": 0},
    ]
    watch_writer.write(
        tmp_path, tasks=[watch_writer.task(7)], slices=[piece(0, 0, 99)], loads=loads
    )
    switches = read_switches(tmp_path)
    assert switches.on_core is None
    readings = switches.readings
    assert readings is not None
    assert readings.tid.tolist() == [7, 7, 8]
    assert readings.time_ns.tolist() == [20, 30, 10]
    assert readings.on_core_ns.tolist() == [5, 9, 4]
    assert readings.ready_ns.tolist() == [1, 2, 1]
    assert readings.core.tolist() == [0, 1, 0]


def test_what_was_lost_is_told_with_its_reason(tmp_path: Path) -> None:
    head = {
        "source": 2,
        "flags": 2,
        "perf_errno": errno.EACCES,
        "records_lost": 3,
        "slices_dropped": 4,
        "tasks_dropped": 5,
        "loads_dropped": 6,
    }
    watch_writer.write(tmp_path, head=head)
    told = {one.what: one.reason for one in read_switches(tmp_path).losses}
    assert "perf_event_paranoid" in told.pop("the kernel's records of context switches")
    assert told == {
        "the end of the scheduler's records": "the launcher was killed",
        "scheduler's records": "the disk was full",
        "3 context switches": "there were too many at once",
        "4 stays on a core": "the size limit was reached",
        "5 threads of the scheduler's list": "the size limit was reached",
        "6 readings of the scheduler's counters": "the size limit was reached",
    }


def test_a_folder_without_a_watcher_has_nothing_to_tell(tmp_path: Path) -> None:
    watch = read_watch(tmp_path, StackTable())
    assert (watch.on_core, watch.readings, watch.samples, watch.losses) == (None, None, None, ())


@pytest.mark.parametrize("seed", range(3))
def test_damage_gives_a_loss_or_a_part_and_never_a_crash(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = watch_writer.string(1, "f") + watch_writer.code(1, 1, 1, 3)
    outcomes = set()
    for _ in range(150):
        watch_writer.write(
            tmp_path,
            tasks=[watch_writer.task(7)],
            slices=[piece(7, 0, 5), piece(7, 9, 9, 0, FOLD), (1, 2), piece(0, 30, 5)],
            loads=[{"time_ns": 30, "tid": 7}],
            samples=[{"time_ns": 30, "tid": 7, "stack": 1}],
            names=names + watch_writer.stack(1, 0, 1, 4),
        )
        path = chance.choice(list(watched.Kind)).path(tmp_path)
        content = bytearray(path.read_bytes())
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.choice(
                (0, 1, 255, chance.getrandbits(8))
            )
        path.write_bytes(content[: chance.choice((len(content), chance.randrange(len(content))))])
        watch = read_watch(tmp_path, StackTable())
        outcomes.add((watch.on_core is None, bool(watch.losses)))
        if watch.on_core is not None:
            on = watch.on_core
            assert (on.end_ns[:-1] <= on.start_ns[1:])[on.tid[1:] == on.tid[:-1]].all()
    assert len(outcomes) > 1


def test_a_table_of_another_kind_or_format_is_refused(tmp_path: Path) -> None:
    watch_writer.write(tmp_path)
    slices, tasks = (kind.path(tmp_path) for kind in (watched.Kind.SLICES, watched.Kind.TASKS))
    shutil.copy(tasks, slices)
    with pytest.raises(UnreadableError, match="not a table"):
        read_switches(tmp_path)
    watch_writer.write(tmp_path)
    content = bytearray(slices.read_bytes())
    content[8] = 9
    slices.write_bytes(content)
    with pytest.raises(UnreadableError, match="format 9"):
        read_switches(tmp_path)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_items_are_those_of_the_header(tmp_path: Path) -> None:
    header = Path(concurtrace.__file__).parent / "native" / "watcher" / "watch.h"
    items = {
        "cw_table": watched.TABLE,
        "cw_head": watched.HEAD,
        "cw_task": watched.TASK,
        "cw_slice": watched.SLICE,
        "cw_load": watched.LOAD,
        "cw_sample": watched.SAMPLE,
    }
    lines = ["#include <stddef.h>", "#include <stdio.h>", f'#include "{header}"', "int main() {"]
    lines.append('puts("{");')
    for name, kind in items.items():
        for one in kind.names or ():
            place = f"offsetof(struct {name}, {one}), sizeof ((struct {name} *)0)->{one}"
            lines.append(f'printf("\\"{name}.{one}\\": [%zu, %zu],\\n", {place});')
        lines.append(f'printf("\\"{name}\\": [%zu],\\n", sizeof(struct {name}));')
    (tmp_path / "told.c").write_text("\n".join([*lines, 'puts("\\"\\": 0}");', "}"]))
    subprocess.run(["cc", "told.c", "-o", "told"], cwd=tmp_path, check=True)
    told = json.loads(subprocess.check_output([tmp_path / "told"]))
    for name, kind in items.items():
        assert told[name] == [kind.itemsize], name
        for one in kind.names or ():
            assert kind.fields is not None
            part, offset = kind.fields[one][:2]
            assert told[f"{name}.{one}"] == [offset, np.dtype(part).itemsize], f"{name}.{one}"
