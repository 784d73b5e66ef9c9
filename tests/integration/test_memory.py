"""The memory instrument: every process has its series, and lines their increments."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from concurtrace import api
from concurtrace.errors import RunDataError
from concurtrace.instruments._sampling import SUFFIX, read_samples
from concurtrace.instruments.memory import INSTRUMENT
from concurtrace.model.recording import MemoryLine, MemoryLines, MemorySeries, Recording
from concurtrace.rundir import store
from tests.recorder import PROGRAM, record_script

MIB = 1 << 20
ROUNDING = MIB
"""The kernel counts pages per core and settles now and then; huge pages round up."""
START_METHODS = ("fork", "spawn", "forkserver")


def record(folder: Path, program: str, *arguments: str, **options: int) -> Recording:
    return record_script(folder, program, *arguments, instrument="memory", options=options)


def lines(recording: Recording) -> MemoryLines:
    assert recording.memory_lines is not None
    return recording.memory_lines


def series(recording: Recording) -> dict[str, MemorySeries]:
    assert recording.memory is not None
    return {one.process.name: one for one in recording.memory.series}


def at(recording: Recording, text: str) -> list[MemoryLine]:
    """Find the figures of the one line that contains a text, in order of processes."""
    found = lines(recording)
    (source,) = [one for one in found.sources if one.file.endswith(PROGRAM)]
    (number,) = [n for n, line in enumerate(source.lines, start=1) if text in line]
    return [row for row in found.lines if row.line == number]


@pytest.mark.parametrize("method", START_METHODS)
def test_a_child_that_allocates_shows_in_its_own_series_and_lines(
    tmp_path: Path, method: str
) -> None:
    recording = record(
        tmp_path,
        """
import multiprocessing, sys
kept = []
def hold():
    kept.append(b"x" * (64 << 20))
def idle():
    pass
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=one, name=one.__name__) for one in (hold, idle)]
    for one in children:
        one.start()
    for one in children:
        one.join()
""",
        method,
    )
    found = series(recording)
    assert found["hold"].process.started_by == method
    growth = {name: max(one.rss_bytes) - one.rss_bytes[0] for name, one in found.items()}
    assert growth["hold"] >= 64 * MIB - ROUNDING
    assert growth["idle"] < 32 * MIB
    assert max(found[PROGRAM].rss_bytes) < max(found["hold"].rss_bytes)
    (row,) = at(recording, "kept.append")
    assert row.process == found["hold"].process
    assert (row.function, row.hits) == ("hold", 1)
    assert 64 * MIB - ROUNDING <= row.increment_bytes <= 65 * MIB + ROUNDING
    assert lines(recording).losses == ()
    for one in found.values():
        assert list(one.times_ns) == sorted(one.times_ns)


def test_increments_belong_to_their_lines_in_one_thread(tmp_path: Path) -> None:
    recording = record(
        tmp_path,
        """
def inner():
    return b"x" * (32 << 20)
def outer():
    before = 1
    block = inner()
    after = 2
    del block
    return [b"y" * MIB for _ in range(16)]
MIB = 1 << 20
for _ in range(3):
    outer()
""",
    )
    (inner,) = at(recording, "return b")
    assert (inner.function, inner.hits) == ("inner", 3)
    assert abs(inner.increment_bytes - 3 * 32 * MIB) <= 3 * ROUNDING
    (call,) = at(recording, "block = inner()")
    assert abs(call.increment_bytes - 3 * 32 * MIB) <= 3 * ROUNDING
    (freed,) = at(recording, "del block")
    assert abs(freed.increment_bytes + 3 * 32 * MIB) <= 3 * ROUNDING
    (many,) = at(recording, 'b"y"')
    assert many.function == "outer"
    for quiet in ("before = 1", "after = 2"):
        (row,) = at(recording, quiet)
        assert (row.hits, abs(row.increment_bytes) <= ROUNDING) == (3, True)


def test_hits_of_threads_coroutines_and_generators(tmp_path: Path) -> None:
    recording = record(
        tmp_path,
        """
import asyncio, threading
def step(number):
    return number + 1
def many():
    for number in range(100):
        step(number)
def generate():
    yield "first"
    yield "second"
async def nap():
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return "slept"
async def main():
    await asyncio.gather(*(nap() for _ in range(20)))
threads = [threading.Thread(target=many) for _ in range(4)]
for one in threads:
    one.start()
for one in threads:
    one.join()
list(generate())
asyncio.run(main())
""",
    )
    assert [row.hits for row in at(recording, "return number + 1")] == [400]
    assert [row.hits for row in at(recording, 'yield "first"')] == [1]
    assert [row.hits for row in at(recording, 'return "slept"')] == [20]
    assert any("Several threads" in note for note in lines(recording).notes)


def test_a_hot_function_is_left_alone_after_its_budget(tmp_path: Path) -> None:
    recording = record(
        tmp_path,
        """
def hot():
    total = 0
    for number in range(100_000):
        total += number
    return total
def calm():
    return b"x" * (32 << 20)
assert hot() == hot() == 4999950000
calm()
""",
        line_budget=1000,
    )
    rows = [row for row in lines(recording).lines if row.function == "hot"]
    assert sum(row.hits for row in rows) == 1000
    (calm,) = at(recording, "return b")
    assert abs(calm.increment_bytes - 32 * MIB) <= ROUNDING
    (note,) = [note for note in lines(recording).notes if "hot" in note]
    assert "1000 lines" in note


def test_a_fork_inside_a_function_goes_on_in_both_processes(tmp_path: Path) -> None:
    recording = record(
        tmp_path,
        """
import os
def both():
    child = os.fork()
    block = b"x" * ((8 << 20) if child else (48 << 20))
    if child:
        os.waitpid(child, 0)
    else:
        os._exit(0)
both()
""",
    )
    parent, child = at(recording, "block = ")
    assert (parent.process.started_by, child.process.started_by) == ("main", "fork")
    assert (parent.hits, child.hits) == (1, 1)
    assert abs(child.increment_bytes - 48 * MIB) <= ROUNDING
    assert abs(parent.increment_bytes - 8 * MIB) <= ROUNDING


@pytest.mark.parametrize("method", START_METHODS)
def test_a_pool_that_is_terminated_loses_nothing(tmp_path: Path, method: str) -> None:
    recording = record(
        tmp_path,
        """
import multiprocessing, sys
def work(number):
    return number + 1
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        assert sum(pool.map(work, range(40), chunksize=5)) == 820
""",
        method,
    )
    assert sum(row.hits for row in at(recording, "return number + 1")) == 40
    assert lines(recording).losses == ()


def test_children_told_to_end_while_watching_begins_are_whole(tmp_path: Path) -> None:
    recording = record(
        tmp_path,
        """
import multiprocessing, signal
def work():
    signal.pause()
context = multiprocessing.get_context("fork")
for _ in range(8):
    child = context.Process(target=work)
    child.start()
    child.terminate()
    child.join()
    assert child.exitcode == -signal.SIGTERM
""",
    )
    assert lines(recording).losses == ()


def test_a_killed_child_is_a_loss_and_its_parent_is_whole(tmp_path: Path) -> None:
    recording = record(
        tmp_path,
        """
import multiprocessing, os, signal
def killed():
    os.kill(os.getpid(), signal.SIGKILL)
def work():
    return 1
child = multiprocessing.get_context("fork").Process(target=killed, name="killed")
child.start()
child.join()
work()
""",
    )
    (loss,) = lines(recording).losses
    assert "killed" in loss.what
    assert [row.hits for row in at(recording, "return 1")] == [1]


def test_a_function_that_is_not_there_is_told(tmp_path: Path) -> None:
    recording = record_script(
        tmp_path,
        "def there():\n    pass\nthere()\n",
        instrument="memory",
        functions=("__main__:there", "__main__:nowhere"),
    )
    assert {row.function for row in lines(recording).lines} == {"there"}
    assert [loss.what for loss in lines(recording).losses] == ["__main__:nowhere"]


def sampled(path: Path) -> set[str]:
    """Name the processes whose pages were read so far."""
    samples = read_samples(path)
    rows = [row for line in samples.lines for row in line["memory"]]
    return {samples.processes[number].name for number, _rss, uss, _pss in rows if uss is not None}


def test_programs_without_python_are_sampled_with_their_pages(tmp_path: Path) -> None:
    out = tmp_path / "pass" / "memory"
    out.mkdir(parents=True)
    script = "import subprocess; subprocess.run(['cat'])"
    target = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    with INSTRUMENT.beside(target.pid, out, {}):
        while not {"cat", "python"} <= {
            name[:6] for name in sampled(out / f"{target.pid}{SUFFIX}")
        }:
            assert target.poll() is None
            time.sleep(0.01)
        assert target.stdin is not None
        target.stdin.close()
        target.wait()
    recording = INSTRUMENT.read(out, {})
    found = series(recording)
    assert found["cat"].process.parent_pid == target.pid
    assert found["cat"].process.started_by == "subprocess"
    for one in found.values():
        shares = zip(one.rss_bytes, one.uss_bytes, one.pss_bytes, strict=True)
        known = [(rss, uss, pss) for rss, uss, pss in shares if uss is not None and pss is not None]
        assert known
        assert all(uss <= pss <= rss + ROUNDING for rss, uss, pss in known)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    record(tmp_path, "def work():\n    pass\nwork()\n")
    run = store.find("last", tmp_path / store.RUNS)
    out = run / "raw" / "memory" / "memory"
    (probed,) = out.glob("*.json")
    whole = probed.read_text()
    for damaged in (whole[:-9], whole.replace('"readings"', '"r"'), "[]"):
        probed.write_text(damaged)
        with pytest.raises(RunDataError, match=probed.name):
            api.load(run)
    probed.write_text(whole)
    (sampled,) = out.glob(f"*{SUFFIX}")
    head, *rest = sampled.read_text().splitlines(keepends=True)
    sampled.write_text(head + "{broken}\n" + "".join(rest))
    with pytest.raises(RunDataError, match=f"{sampled.name}.* line 2"):
        api.load(run)
    # A last line that was being written when the launcher died is no damage.
    sampled.write_text(head + "".join(rest) + '{"at_ns":1')
    assert series(api.load(run).recording)
