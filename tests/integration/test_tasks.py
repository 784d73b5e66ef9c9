"""Tasks of real programs, held against what each program dictates: counts, orders, who awaits."""

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from concurtrace.analysis.task_path import OnPath, task_path
from concurtrace.model.tasks import Await, FaultKind, Outcome, StepFlag, TaskState
from tests.task_recording import Recorded, record, tasks_of

KINDS = """
import asyncio, time
async def serve(reader, writer):
    while await reader.readline():
        await asyncio.sleep(0.002)
        writer.write(b"answer\\n")
    writer.close()
async def ask(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(4):
        writer.write(b"question\\n")
        await reader.readline()
    writer.close()
async def hold(lock):
    async with lock:
        await asyncio.sleep(0.01)
async def take(items):
    for _ in range(5):
        await items.get()
async def give(items):
    for item in range(5):
        await asyncio.sleep(0.001)
        items.put_nowait(item)
async def job():
    await asyncio.to_thread(time.sleep, 0.005)
async def wait(event):
    await event.wait()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(port)
    lock, items, event = asyncio.Lock(), asyncio.Queue(), asyncio.Event()
    waits = asyncio.create_task(wait(event), name="the waiter")
    await asyncio.gather(ask(port), hold(lock), hold(lock), take(items), give(items), job())
    event.set()
    await waits
    async with asyncio.TaskGroup() as group:
        group.create_task(job())
    server.close()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    found = record(tmp_path_factory.mktemp("kinds"), KINDS)
    assert found.returncode == 0, found.stderr
    return found


def test_every_wait_is_told_with_what_it_was_for(kinds: Recorded) -> None:
    places: Counter[tuple[str, Await]] = Counter()
    for one in kinds.report.places:
        places[one.where.rpartition(" in ")[2], one.kind] += one.count
    # A wait that needs not wait is none: the kernel may answer the last line at once.
    assert places["take", Await.QUEUE] == 5
    assert places["give", Await.TIMER] == 5
    assert places["hold", Await.SYNC] == 1
    assert places["hold", Await.TIMER] == 2
    assert places["wait", Await.SYNC] == 1
    assert places["job", Await.EXECUTOR] == 2
    assert places["main", Await.TASK] == 3
    assert 1 <= places["ask", Await.IO] <= 6
    assert places["serve", Await.TIMER] == 4


def test_the_peer_that_answered_is_named(kinds: Recorded) -> None:
    peers = {
        peer for one in kinds.report.places if one.where.endswith(" in ask") for peer in one.peers
    }
    assert peers == {f"127.0.0.1:{kinds.stdout.strip()}"}


def test_tasks_have_a_name_a_maker_and_a_place_of_birth(kinds: Recorded) -> None:
    (waiter,) = tasks_of(kinds, "wait")
    line = 1 + KINDS.splitlines().index(
        '    waits = asyncio.create_task(wait(event), name="the waiter")'
    )
    assert waiter.name == "the waiter"
    assert waiter.created_at == f"{kinds.program}:{line} in main"
    (main,) = tasks_of(kinds, "main")
    assert waiter.parent == main.name
    assert main.parent == ""
    assert all(one.waiter == main.name for one in tasks_of(kinds, "hold"))


def test_states_of_a_task_sum_to_its_life(kinds: Recorded) -> None:
    for one in kinds.report.tasks:
        whole = one.end_ns - one.start_ns
        assert sum(one.states.values()) == pytest.approx(whole, rel=0.01, abs=50_000), one
        assert sum(one.awaits.values()) == one.states.get(TaskState.AWAITING, 0)


def test_the_tree_shows_who_awaits_whom(kinds: Recorded) -> None:
    (main,) = [one for one in kinds.report.tree if one.coroutine == "main"]
    below = {one.coroutine: one.count for one in main.children}
    expected = {"ask": 1, "hold": 2, "take": 1, "give": 1, "wait": 1, "job": 2}
    assert {name: count for name, count in below.items() if name in expected} == expected


def test_work_in_threads_is_told_from_giving_to_end(kinds: Recorded) -> None:
    jobs, trace = kinds.trace.jobs, kinds.trace
    own = [row for row in range(len(jobs)) if jobs.task[row] >= 0]
    names = [trace.stacks.functions[int(trace.tasks.code[jobs.task[row]])].name for row in own]
    assert names.count("job") == 2
    for row in own:
        assert jobs.submitted_ns[row] <= jobs.started_ns[row] <= jobs.ended_ns[row]
        assert jobs.tid[row] != jobs.from_tid[row]


def test_the_critical_path_goes_through_tasks_and_jobs(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import asyncio, time
        async def short():
            await asyncio.sleep(0.001)
        async def long():
            await asyncio.sleep(0.02)
        async def main():
            await asyncio.gather(short(), long())
            await asyncio.to_thread(time.sleep, 0.02)
        asyncio.run(main())
        """,
    )
    trace = found.trace
    pieces = task_path(trace)
    for one, after in pairwise(pieces):
        assert one.start_ns < one.end_ns <= after.start_ns
    names = [trace.stacks.functions[int(trace.tasks.code[one.task])].name for one in pieces]
    told = [(one.what, name) for one, name in zip(pieces, names, strict=True)]
    assert (OnPath.AWAITING, "long") in told
    assert (OnPath.IN_THREAD, "main") in told
    assert told.index((OnPath.AWAITING, "long")) < told.index((OnPath.IN_THREAD, "main"))
    assert "short" not in names
    longest = found.report.path[:2]
    assert {one.where.rpartition(":")[2] for one in longest} == {"6 in long", "9 in main"}


def test_a_loop_counts_everything_it_ran(kinds: Recorded) -> None:
    (loop,) = kinds.trace.loops
    assert loop.steps == int(kinds.trace.tasks.steps.sum())
    assert int(loop.lag.sum()) == loop.steps + loop.callbacks == loop.ready_sum
    assert int(loop.iteration.sum()) == loop.iterations
    assert 0 < loop.idle_ns < loop.in_ns


def test_ends_of_all_kinds_are_told(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import asyncio, gc
        async def fails():
            raise ValueError("on purpose")
        async def never():
            pass
        async def for_ever():
            await asyncio.get_running_loop().create_future()
        async def main():
            asyncio.create_task(fails())
            never()
            cancelled = asyncio.create_task(for_ever(), name="cancelled")
            lost = asyncio.create_task(for_ever(), name="lost")
            left = asyncio.create_task(asyncio.sleep(60), name="left")
            await asyncio.sleep(0)
            cancelled.cancel()
            del lost
            await asyncio.sleep(0.01)
            gc.collect()
        asyncio.run(main())
        """,
    )
    report = found.report
    outcomes = {one.name: one.outcome for one in report.tasks}
    assert outcomes["cancelled"] is Outcome.CANCELLED
    assert outcomes["left"] is Outcome.CANCELLED
    assert outcomes["lost"] is Outcome.DESTROYED
    assert [one.outcome for one in report.tasks if one.coroutine == "fails"] == [Outcome.ERROR]
    faults = {one.kind: one for one in report.faults}
    assert faults[FaultKind.NEVER_RETRIEVED].text.endswith("ValueError: on purpose")
    assert faults[FaultKind.NEVER_RETRIEVED].where.endswith(" in fails")
    assert faults[FaultKind.NEVER_AWAITED].text.endswith("never")
    assert faults[FaultKind.DESTROYED_PENDING].text == "lost"
    assert faults[FaultKind.DESTROYED_PENDING].where.endswith(" in for_ever")


CANCELLED = """
import asyncio
async def cleans_up():
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.01)
async def in_time():
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)
    except TimeoutError:
        await asyncio.sleep(0.002)
async def main():
    task = asyncio.create_task(cleans_up(), name="cleans up")
    never = asyncio.create_task(cleans_up(), name="never begun")
    never.cancel()
    await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task, never])
    await asyncio.create_task(in_time(), name="in time")
asyncio.run(main(), debug=False)
"""


def test_from_being_asked_to_its_end_a_task_is_cancelling(tmp_path: Path) -> None:
    found = record(tmp_path, CANCELLED)
    assert found.returncode == 0, found.stderr
    tasks = {one.name: one for one in found.report.tasks}
    trace, names = found.trace, found.trace.names
    rows = {name: row for row, name in enumerate(names)}
    cleans_up = tasks["cleans up"]
    assert cleans_up.outcome is Outcome.CANCELLED
    steps = trace.steps.take(trace.steps.task == rows["cleans up"])
    assert [bool(flags & StepFlag.CANCELLING) for flags in steps.flags.tolist()] == [
        False,
        True,
        True,
    ]
    # Its first wait ended when it was asked; all of its second is on the way to its end.
    assert cleans_up.states[TaskState.CANCELLING] >= int(steps.await_ns[2] + steps.ready_ns[2])
    assert cleans_up.states[TaskState.AWAITING] == sum(cleans_up.awaits.values())
    assert sum(cleans_up.states.values()) == cleans_up.end_ns - cleans_up.start_ns
    line = 1 + CANCELLED.splitlines().index("    task.cancel()")
    (main,) = tasks_of(found, "main")
    assert cleans_up.cancelled_by == main.name
    assert cleans_up.cancelled_at == f"{found.program}:{line} in main"
    never = tasks["never begun"]
    assert set(never.states) == {TaskState.CREATED, TaskState.CANCELLING, TaskState.RUNNING}


def test_a_time_limit_takes_its_asking_back(tmp_path: Path) -> None:
    found = record(tmp_path, CANCELLED)
    trace = found.trace
    row = trace.names.index("in time")
    (asked,) = np.flatnonzero(trace.cancels.task == row)
    steps = trace.steps.take(trace.steps.task == row)
    assert trace.cancels.until_ns[asked] == steps.end_ns[1]
    assert [bool(flags & StepFlag.CANCELLING) for flags in steps.flags.tolist()] == [
        False,
        True,
        False,
    ]
    (task,) = tasks_of(found, "in_time")
    assert (task.outcome, task.cancelled_at) == (Outcome.OK, "")
    assert task.awaits[Await.TIMER] >= int(steps.await_ns[2])


def test_each_of_several_loops_has_its_own_thread(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import asyncio, threading
        async def part():
            for _ in range(10):
                await asyncio.sleep(0)
        async def main():
            await asyncio.gather(*(part() for _ in range(4)))
        threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
        for thread in threads:
            thread.start()
        print(*(thread.native_id for thread in threads))
        for thread in threads:
            thread.join()
        """,
    )
    trace = found.trace
    assert [one.tid for one in sorted(trace.loops, key=lambda one: one.tid)] == sorted(
        map(int, found.stdout.split())
    )
    parts = [row for row in range(len(trace.tasks)) if trace.tasks.yields[row]]
    assert Counter(trace.tasks.loop[parts].tolist()) == {0: 4, 1: 4, 2: 4}
    assert set(trace.tasks.steps[parts].tolist()) == {11}
    assert set(trace.tasks.yields[parts].tolist()) == {10}


def test_totals_are_exact_where_the_room_is_not_enough(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import asyncio
        async def tiny():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        async def main():
            for _ in range(150):
                await asyncio.gather(*(tiny() for _ in range(200)))
        asyncio.run(main())
        """,
        max_bytes=1 << 20,
    )
    trace = found.trace
    (process,) = trace.processes
    (kind,) = [one for one in found.report.kinds if one.coroutine == "tiny"]
    assert (kind.count, kind.steps) == (30_000, 90_000)
    assert kind.outcomes == {Outcome.OK: 30_000}
    assert process.grouped > 20_000
    assert process.steps_kept < process.steps
    assert [one for one in trace.losses if "single steps" in one.what]
    used = sum(path.stat().st_size for path in found.folder.glob("*.ctt"))
    assert used <= 1 << 20


def test_a_killed_process_leaves_what_it_had(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import asyncio, os, signal
        async def sleeper():
            await asyncio.sleep(60)
        async def main():
            tasks = [asyncio.create_task(sleeper()) for _ in range(5)]
            await asyncio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
        """,
    )
    assert found.returncode == -9
    (process,) = found.trace.processes
    assert process.end_ns is None
    tasks = found.trace.tasks
    states = Counter(tuple(TaskState)[code] for code in tasks.state.tolist())
    assert states == {TaskState.AWAITING: 5, TaskState.RUNNING: 1}


def test_damaged_files_give_what_can_be_read(kinds: Recorded, tmp_path: Path) -> None:
    (path,) = kinds.folder.glob("*.ctt")
    whole = path.read_bytes()
    chance = random.Random(6)
    for number in range(60):
        damaged = bytearray(whole[: chance.randrange(1, len(whole))] if number % 3 == 0 else whole)
        for _ in range(chance.randrange(1, 200)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / path.name).write_bytes(damaged)
        again = Recorded("", "", 0, folder, kinds.program)
        if again.trace.processes:
            assert len(again.report.loops) == len(again.trace.loops)
        else:
            assert again.trace.losses
