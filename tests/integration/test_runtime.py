"""What Python and the kernel do beside the program's work, seen from recordings of real runs."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from concurtrace import api
from concurtrace.rundir import store
from tests.recorder import record_script

PROGRAM = """
import asyncio, gc, multiprocessing, os

def collect(times, name):
    for _ in range(times):
        gc.collect()
    with open(f"{name}.pid", "w") as file:
        file.write(str(os.getpid()))

async def loop():
    many = asyncio.Queue()
    for number in range(300):
        many.put_nowait(number)
        await asyncio.sleep(0.001)
    return many

if __name__ == "__main__":
    for method in ("spawn", "fork", "forkserver"):
        context = multiprocessing.get_context(method)
        process = context.Process(target=collect, args=(5, method))
        process.start()
        process.join()
    kept = asyncio.run(loop())
    collect(8, "main")
"""


def test_collections_and_queues_of_every_process_are_recorded(tmp_path: Path) -> None:
    trace = record_script(tmp_path, PROGRAM, instrument="states").trace
    assert trace is not None
    by_pid = {one.pid: one for one in trace.processes}
    for name, times in (("main", 8), ("spawn", 5), ("fork", 5), ("forkserver", 5)):
        told = by_pid[int((tmp_path / f"{name}.pid").read_text())].collections
        assert told is not None
        # Python collects of its own accord too, now and then.
        assert times <= told[2].count < times + 5
        assert told[2].ns > 0
    (queue,) = trace.queues
    assert queue.process == 0
    assert queue.lengths[-1] - queue.lengths[0] == queue.puts[-1] - queue.puts[0] > 100
    assert set(queue.gets) == {0}
    lines = [frame.function.name for frame in trace.stacks.frames(queue.created_stack)]
    assert "loop" in lines


@contextlib.contextmanager
def control_group(name: str) -> Iterator[Path]:
    """Make a control group with a quota of one core; skip where that is not allowed."""
    first = Path("/sys/fs/cgroup/cpu")
    folder = (first if first.is_dir() else Path("/sys/fs/cgroup")) / name
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    try:
        limit = folder / ("cpu.cfs_quota_us" if first.is_dir() else "cpu.max")
        try:
            limit.write_text("100000")
        except OSError as error:
            pytest.skip(f"no quota can be set here: {error.strerror}")
        yield folder
    finally:
        folder.rmdir()


def test_a_quota_and_its_periods_are_noted(tmp_path: Path) -> None:
    run = "import hashlib; [hashlib.sha256(bytes(1 << 20)).digest() for _ in range(40)]"
    with control_group(f"concurtrace-{os.getpid()}") as group:
        enter = f'echo $$ > {group / "cgroup.procs"} && exec "$@"'
        command = [sys.executable, "-m", "concurtrace", "run", "--with", "states", "-c", run]
        subprocess.run(
            ["sh", "-c", enter, "sh", *command], cwd=tmp_path, capture_output=True, check=True
        )
        told = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    report = api.load(store.find("last", tmp_path / store.RUNS))
    (execution,) = report.passes[0].executions
    assert execution.strain is not None
    throttling = execution.strain.throttling
    assert throttling is not None
    assert throttling.quota_cores == 1.0
    assert 0 < throttling.periods <= int(told["nr_periods"])
    assert throttling.throttled <= int(told["nr_throttled"])
    (finding,) = [one for one in report.findings if one.rule == "cpu-throttling"]
    assert finding.severity.value != "not-applicable"
