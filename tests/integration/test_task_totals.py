"""Totals of tasks stay exact where there is no room for each of them, however the process ends."""

from pathlib import Path

import pytest

from concurtrace.model.tasks import Outcome, TaskState
from tests.task_recording import record

CROWD = 4_000
SLOT_BYTES = 192
PROGRAM = """
import asyncio, os, signal, sys
async def left(begin):
    await begin.wait()
    await asyncio.sleep(0)
    await end.wait()
async def right(begin):
    await begin.wait()
    await end.wait()
async def main():
    global end
    begin, end = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.create_task(one(begin)) for _ in range({crowd}) for one in (left, right)]
    await asyncio.sleep(0)
    begin.set()
    for _ in range(4):
        await asyncio.sleep(0)
    {ends}
    end.set()
    await asyncio.gather(*tasks)
asyncio.run(main())
"""


@pytest.mark.parametrize("ends", ["os.kill(os.getpid(), signal.SIGKILL)", "pass"])
def test_a_crowd_without_room_is_counted_by_its_coroutines(tmp_path: Path, ends: str) -> None:
    bound = CROWD * SLOT_BYTES
    found = record(tmp_path, PROGRAM.format(crowd=CROWD, ends=ends), max_bytes=bound)
    killed = ends != "pass"
    assert found.returncode == (-9 if killed else 0), found.stderr
    trace = found.trace
    (process,), (loop,) = trace.processes, trace.loops
    assert process.grouped > CROWD  # and so there was no room for each
    kinds = {one.coroutine: (one.steps, one.outcomes) for one in found.report.kinds}
    last = 0 if killed else CROWD
    ended = {Outcome.PENDING if killed else Outcome.OK: CROWD}
    assert kinds["left"] == (3 * CROWD + last, ended)
    assert kinds["right"] == (2 * CROWD + last, ended)
    assert int(trace.tasks.count.sum()) == process.tasks
    assert int(trace.tasks.steps.sum()) == loop.steps == process.steps - loop.callbacks
    assert int(trace.tasks.running_ns.sum()) == loop.steps_ns
    used = sum(path.stat().st_size for path in found.folder.glob("*.ctt"))
    assert used <= bound


STOPPED = """
import asyncio, time
async def stops():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        for _ in range(20):
            await asyncio.sleep(0)
        raise
async def main():
    tasks = [asyncio.create_task(stops()) for _ in range({crowd})]
    await asyncio.sleep(0)
    begin = time.monotonic_ns()
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(time.monotonic_ns() - begin)
asyncio.run(main())
"""


def test_no_time_of_a_crowd_without_room_is_counted_twice(tmp_path: Path) -> None:
    found = record(tmp_path, STOPPED.format(crowd=CROWD), max_bytes=CROWD * SLOT_BYTES // 2)
    (stops,) = [one for one in found.report.kinds if one.coroutine == "stops"]
    assert (stops.count, stops.outcomes) == (CROWD, {Outcome.CANCELLED: CROWD})
    # They stopped next to each other, none for longer than it took all of them.
    assert 0 < stops.states[TaskState.CANCELLING] <= CROWD * int(found.stdout)
