"""Tasks of real programs, held against what each program dictates: counts, orders, who awaits."""

import random
import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from concurtrace.analysis.task_path import OnPath, task_path
from concurtrace.model.task_report import TaskReport
from concurtrace.model.tasks import Await, FaultKind, Outcome, TaskState
from tests.cli import concurtrace, last_report
from tests.task_recording import Recorded, record

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


def tasks_of(found: Recorded, coroutine: str) -> list[TaskReport]:
    return [one for one in found.report.tasks if one.coroutine == coroutine]


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


UNUSUAL = {
    "a policy of its own": """
        import asyncio
        class Loop(asyncio.SelectorEventLoop):
            pass
        class Policy(asyncio.DefaultEventLoopPolicy):
            def new_event_loop(self):
                return Loop()
        asyncio.set_event_loop_policy(Policy())
        async def main():
            await asyncio.sleep(0.001)
            print(type(asyncio.get_running_loop()).__name__)
        asyncio.run(main())
        """,
    "a loop inside a loop": """
        import asyncio
        async def inner():
            await asyncio.sleep(0.001)
            return "inner"
        def run_nested(loop, task):
            while not task.done():
                before = asyncio.tasks._current_tasks.pop(loop, None)
                loop._run_once()
                if before is not None:
                    asyncio.tasks._current_tasks[loop] = before
        async def main():
            loop = asyncio.get_running_loop()
            task = loop.create_task(inner())
            run_nested(loop, task)
            print(task.result())
        asyncio.run(main())
        """,
    "tasks in Python": """
        import asyncio
        asyncio.Task = asyncio.tasks.Task = asyncio.tasks._PyTask
        asyncio.Future = asyncio.futures.Future = asyncio.futures._PyFuture
        async def main():
            print(await asyncio.gather(*(asyncio.sleep(0.001, number) for number in range(3))))
        asyncio.run(main())
        """,
    "cancelled during shutdown": """
        import asyncio
        async def stubborn():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0.001)
                print("cleaned up")
                raise
        async def main():
            task = asyncio.create_task(stubborn())
            await asyncio.sleep(0)
        asyncio.run(main())
        """,
    "closed and reused": """
        import asyncio
        for number in range(3):
            loop = asyncio.new_event_loop()
            print(loop.run_until_complete(asyncio.sleep(0.001, number)))
            loop.close()
        """,
    "an error in a callback": """
        import asyncio
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: print(context["message"][:21]))
            loop.call_soon(lambda: 1 / 0)
            await asyncio.sleep(0.001)
        asyncio.run(main())
        """,
    "interrupted": """
        import asyncio, signal, os
        async def main():
            asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """,
    "forked inside a loop": """
        import asyncio, os
        async def main():
            pid = os.fork()
            if pid == 0:
                os._exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            await asyncio.sleep(0.001)
        asyncio.run(main())
        """,
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_program_works_as_without_recording(name: str, tmp_path: Path) -> None:
    import subprocess

    if name == "tasks in Python" and sys.version_info >= (3, 12):
        pytest.skip("what gather calls can't be replaced there")
    found = record(tmp_path, UNUSUAL[name])
    plain = subprocess.run(
        [sys.executable, str(found.program)], capture_output=True, text=True, check=False
    )
    assert (found.stdout, found.returncode) == (plain.stdout, plain.returncode), found.stderr
    assert int(found.trace.tasks.steps.sum()) > 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks_run_on_as_they_do(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import asyncio
        async def at_once():
            return 1
        async def later():
            await asyncio.sleep(0.001)
            return 2
        async def main():
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
            print(await asyncio.gather(at_once(), later()))
        asyncio.run(main())
        """,
    )
    assert found.stdout == "[1, 2]\n", found.stderr
    (later,) = tasks_of(found, "later")
    assert later.outcome is Outcome.OK


def test_afterwards_everything_is_as_it_was(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import asyncio, asyncio.runners, selectors, warnings
        from concurrent.futures import thread
        owners = (
            (asyncio.events.Handle, "_run"), (asyncio.base_events.BaseEventLoop, "_run_once"),
            (asyncio.base_events.BaseEventLoop, "_call_soon"), (thread._WorkItem, "run"),
            (selectors.EpollSelector, "select"), (warnings, "_warn_unawaited_coroutine"),
        )
        asyncio.run(asyncio.sleep(0))
        print(sum(type(getattr(*one)).__name__ == "function" for one in owners))
        import __main__
        __main__.probe.end()
        print(sum(type(getattr(*one)).__name__ == "function" for one in owners))
        asyncio.run(asyncio.sleep(0))
        """,
    )
    assert found.stdout.split() == ["0", "6"], found.stderr


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


def blocking_program(seed: int) -> tuple[str, dict[str, int]]:
    """Write a program of coroutines: those that block, with the line, and as many that don't."""
    chance = random.Random(seed)
    calls = (
        "time.sleep({s})",
        "pipe_after({s})",
        "lock_after({s})",
        "told_after({s})",
        "subprocess.run(['sleep', '{s}'])",
    )
    lines, expected, names = BLOCKING.splitlines(), {}, []
    for number in range(100):
        call = chance.choice(calls).format(s=round(chance.uniform(0.022, 0.03), 4))
        lines.append(f"async def bad_{number}():")
        lines += ["    await asyncio.sleep(0)"] * chance.randrange(3)
        expected[f"bad_{number}"] = len(lines) + 1
        lines += [f"    {call}", "    await asyncio.sleep(0)"]
        clean = chance.choice(("await asyncio.sleep(0.03)", "sum(range(2000))", "await give()"))
        lines += [f"async def clean_{number}():", f"    {clean}", "    await asyncio.sleep(0.001)"]
        names += [f"bad_{number}", f"clean_{number}"]
    chance.shuffle(names)
    lines += [
        "async def main():",
        f"    await asyncio.gather({', '.join(f'{n}()' for n in names)})",
    ]
    lines += ["asyncio.run(main())"]
    return "\n".join(lines), expected


BLOCKING = """\
import asyncio, os, queue, subprocess, threading, time
def pipe_after(seconds):
    reader, writer = os.pipe()
    threading.Timer(seconds, os.write, (writer, b"x")).start()
    os.read(reader, 1)
def lock_after(seconds):
    lock = threading.Lock()
    lock.acquire()
    threading.Timer(seconds, lock.release).start()
    lock.acquire()
def told_after(seconds):
    items = queue.Queue()
    threading.Timer(seconds, items.put, (1,)).start()
    items.get()
async def give():
    items = asyncio.Queue(1)
    for item in range(5):
        await items.put(item)
        await items.get()"""


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, int]]:
    folder = tmp_path_factory.mktemp("blocked")
    program, expected = blocking_program(6)
    (folder / "program.py").write_text(program)
    done = concurtrace(folder, "run", "--quiet", "--with", "states,tasks", "program.py")
    assert done.returncode == 0, done.stderr
    return last_report(folder), expected


def loops_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [loop for process in report["processes"] for loop in process.get("loops", ())]


def test_every_blocking_call_is_found_with_its_line_and_no_other(
    blocked: tuple[dict[str, Any], dict[str, int]],
) -> None:
    report, expected = blocked
    asleep = [
        step
        for loop in loops_of(report)
        for step in loop["blocked"]
        if step["off_core_ns"] * 2 >= step["ns"]
    ]
    found = {step["coroutine"] for step in asleep}
    assert found == set(expected)
    helpers = {"pipe_after", "lock_after", "told_after"}
    for step in asleep:
        match = re.fullmatch(r".*program\.py:(\d+) in (\w+)", step["where"])
        assert match is not None, step
        if match[2] not in helpers:
            assert int(match[1]) == expected[step["coroutine"]]


def test_the_blocking_calls_are_the_first_thing_told(
    blocked: tuple[dict[str, Any], dict[str, int]],
) -> None:
    report, _ = blocked
    warnings = [one["rule"] for one in report["findings"] if one["severity"] == "warning"]
    assert "blocking-call-in-coroutine" in warnings[:2]


def test_running_tasks_are_what_kept_the_loops_thread_busy(
    blocked: tuple[dict[str, Any], dict[str, int]],
) -> None:
    report, _ = blocked
    (loop,) = loops_of(report)
    running = sum(
        task["states"].get("RUNNING", 0)
        for process in report["processes"]
        for task in process.get("tasks", ())
    )
    assert running == pytest.approx(loop["busy_ns"], rel=0.02)


def test_a_loop_that_cannot_be_followed_is_said(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        f"""
        import asyncio, sys
        from pathlib import Path
        Path("{tmp_path}/uvloop.py").write_text("")
        sys.path.insert(0, "{tmp_path}")
        import uvloop
        asyncio.run(asyncio.sleep(0))
        """,
    )
    (loss,) = found.trace.losses
    assert loss.what == "tasks of uvloop in process 1"
    assert "in C" in loss.reason


def test_a_thread_that_selects_again_and_again_is_a_loop_whatever_runs_it(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import selectors, socket, threading, time\n"
        "here, there = socket.socketpair()\n"
        "def loop():\n"
        "    with selectors.DefaultSelector() as events:\n"
        "        events.register(here, selectors.EVENT_READ)\n"
        "        for number in range(20):\n"
        "            events.select()\n"
        "            here.recv(1)\n"
        "            if number == 10:\n"
        "                time.sleep(0.2)\n"
        "thread = threading.Thread(target=loop, name='the loop')\n"
        "thread.start()\n"
        "for _ in range(20):\n"
        "    time.sleep(0.005)\n"
        "    there.send(b'x')\n"
        "thread.join()\n"
    )
    done = concurtrace(tmp_path, "run", "--quiet", "--with", "states,tasks", "program.py")
    assert done.returncode == 0, done.stderr
    (unknown,) = [one for one in loops_of(last_report(tmp_path)) if one["thread"] == "the loop"]
    assert unknown["flavour"] == "another loop"
    worst = unknown["blocked"][0]
    assert worst["state"] == "SLEEP"
    assert worst["where"].endswith("program.py:10 in loop")


def test_greenlets_are_tasks_and_their_hub_is_the_loop(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    found = record(
        tmp_path,
        """
        import gevent
        from gevent.queue import Queue
        def give(items):
            for item in range(5):
                gevent.sleep(0.001)
                items.put(item)
        def take(items):
            for _ in range(5):
                items.get()
        items = Queue()
        gevent.joinall([gevent.spawn(give, items), gevent.spawn(take, items)])
        """,
    )
    assert found.returncode == 0, found.stderr
    (loop,) = found.trace.loops
    assert loop.flavour.value == "greenlets"
    (give,) = tasks_of(found, "give")
    assert give.outcome is Outcome.OK
    assert give.steps == 6
    assert give.created_at == f"{found.program}:12 in <module>"
    assert set(give.awaits) == {Await.TIMER}
    (take,) = tasks_of(found, "take")
    assert take.waits_at == f"{found.program}:10 in take"


def test_greenlets_are_left_alone_afterwards(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    found = record(
        tmp_path,
        """
        import gevent, greenlet, gevent.hub
        gevent.sleep(0.001)
        print(greenlet.gettrace() is None)
        import __main__
        __main__.probe.end()
        print(greenlet.gettrace() is None, hasattr(gevent.hub.Hub.__init__, "__wrapped__"))
        gevent.sleep(0.001)
        """,
    )
    assert found.stdout.split() == ["False", "True", "False"], found.stderr
    assert found.returncode == 0


def test_generators_of_twisted_are_tasks(tmp_path: Path) -> None:
    pytest.importorskip("twisted")
    found = record(
        tmp_path,
        """
        from twisted.internet import defer, reactor, task, threads
        @defer.inlineCallbacks
        def work():
            for _ in range(3):
                yield task.deferLater(reactor, 0.001)
            yield threads.deferToThread(sum, [1, 2])
        @defer.inlineCallbacks
        def main():
            yield defer.gatherResults([work(), work()])
            reactor.stop()
        reactor.callWhenRunning(main)
        reactor.run()
        """,
    )
    assert found.returncode == 0, found.stderr
    works = tasks_of(found, "work")
    assert [(one.outcome, one.steps) for one in works] == [(Outcome.OK, 5)] * 2
    (main,) = tasks_of(found, "main")
    assert {one.parent for one in works} == {main.name}
    kinds = {one.kind for one in found.report.places if one.where.endswith(" in work")}
    assert kinds == {Await.TIMER, Await.EXECUTOR}
