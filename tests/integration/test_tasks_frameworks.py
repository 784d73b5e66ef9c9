"""Loops that are not asyncio's own: uvloop, gevent, Twisted, and any other."""

from pathlib import Path

import pytest

from concurtrace.model.tasks import Await, Flavour, Outcome
from tests.cli import concurtrace, last_report, loops_of
from tests.task_recording import plain, record, tasks_of

UVLOOP = """
import asyncio, uvloop
async def child(number):
    for _ in range(3):
        await asyncio.sleep(0.001)
    return number
async def serve(reader, writer):
    writer.write(await reader.readline())
    writer.close()
async def ask():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"echo\\n")
    answer = await reader.readline()
    writer.close()
    return answer
async def main():
    loop = asyncio.get_running_loop()
    later = loop.create_future()
    loop.call_later(0.001, later.set_result, "later")
    loop.call_soon_threadsafe(print, *range(20))
    print(await asyncio.gather(*(child(number) for number in range(3))), await ask())
    print(await asyncio.to_thread(sum, [1, 2]), await later)
    left = asyncio.create_task(asyncio.sleep(60), name="left")
    async def fails():
        raise ValueError("on purpose")
    failed = asyncio.create_task(fails())
    await asyncio.sleep(0)
    del failed
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""


def test_tasks_of_uvloop_are_followed_and_what_is_not_is_said(tmp_path: Path) -> None:
    pytest.importorskip("uvloop")
    found = record(tmp_path, UVLOOP)
    assert (found.stdout, found.returncode) == plain(found), found.stderr
    (loop,) = found.trace.loops
    assert (loop.flavour, loop.steps) == (Flavour.ASYNCIO, int(found.trace.tasks.steps.sum()))
    children = tasks_of(found, "child")
    assert [(one.steps, one.outcome, set(one.awaits)) for one in children] == [
        (4, Outcome.OK, {Await.TIMER})
    ] * 3
    (main,) = tasks_of(found, "main")
    assert {one.parent for one in children} == {main.name}
    kinds = {one.kind for one in found.report.places if one.where.endswith(" in main")}
    assert kinds == {Await.TASK, Await.EXECUTOR}
    assert {one.outcome for one in found.report.tasks if one.name == "left"} == {Outcome.CANCELLED}
    (fault,) = found.report.faults
    assert fault.text.endswith("ValueError: on purpose")
    (loss,) = found.trace.losses
    assert loss.what == "tasks of uvloop in process 1"
    assert "transports" in loss.reason


def test_uvloop_is_left_alone_afterwards(tmp_path: Path) -> None:
    pytest.importorskip("uvloop")
    found = record(
        tmp_path,
        """
        import asyncio, uvloop
        print("call_soon" in vars(uvloop.Loop))
        import __main__
        __main__.probe.end()
        print("call_soon" in vars(uvloop.Loop))
        uvloop.run(asyncio.sleep(0))
        """,
    )
    assert found.stdout.split() == ["True", "False"], found.stderr


def test_the_idle_time_of_uvloop_is_that_of_its_thread(tmp_path: Path) -> None:
    pytest.importorskip("uvloop")
    (tmp_path / "program.py").write_text(
        "import asyncio, time, uvloop\n"
        "async def main():\n"
        "    for _ in range(20):\n"
        "        await asyncio.sleep(0.005)\n"
        "    time.sleep(0.2)\n"
        "uvloop.run(main())\n"
    )
    done = concurtrace(tmp_path, "run", "--quiet", "--with", "states,tasks", "program.py")
    assert done.returncode == 0, done.stderr
    (loop,) = loops_of(last_report(tmp_path))
    assert (loop["flavour"], loop["name"]) == ("asyncio", "Loop")
    assert loop["iterations"] >= 20
    assert loop["busy_ns"] >= 200_000_000
    assert loop["idle_ns"] + loop["busy_ns"] == loop["end_ns"] - loop["start_ns"]
    (worst,) = loop["blocked"]
    assert (worst["state"], worst["where"].rpartition("/")[2]) == ("SLEEP", "program.py:5 in main")


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
        main()
        reactor.run()
        """,
    )
    assert found.returncode == 0, found.stderr
    works = tasks_of(found, "work")
    assert [(one.outcome, one.steps) for one in works] == [(Outcome.OK, 5)] * 2
    (main,) = tasks_of(found, "main")
    assert {one.parent for one in works} == {main.name}
    assert set(found.trace.tasks.loop.tolist()) == {0}
    kinds = {one.kind for one in found.report.places if one.where.endswith(" in work")}
    assert kinds == {Await.TIMER, Await.EXECUTOR}
