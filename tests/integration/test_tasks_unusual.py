"""Programs that treat their loops in unusual ways work as without recording."""

import sys
from pathlib import Path

import pytest

from concurtrace.model.tasks import Outcome
from tests.task_recording import plain, record, tasks_of

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
    "nest_asyncio": """
        import asyncio
        import nest_asyncio
        nest_asyncio.apply()
        async def inner(number):
            await asyncio.sleep(0.001)
            return number
        def from_plain_code(number):
            return asyncio.run(inner(number))
        async def main():
            loop = asyncio.get_running_loop()
            print(from_plain_code(1), loop.run_until_complete(inner(2)))
            print(await asyncio.gather(*(inner(number) for number in range(3))))
        asyncio.run(main())
        """,
    "a task that refuses to end": """
        import asyncio
        async def stubborn():
            while True:
                try:
                    await asyncio.sleep(0.005)
                    return "ended by itself"
                except asyncio.CancelledError:
                    print("no")
        async def main():
            task = asyncio.create_task(stubborn())
            await asyncio.sleep(0)
            print(task.cancel("please"), task.cancelling())
            print(await task, task.cancelled(), task.uncancel(), task.cancel())
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.sleep(60)
            except TimeoutError:
                print("late")
        asyncio.run(main())
        """,
    "forked into a loop of its own": """
        import asyncio, os
        async def child():
            task = asyncio.create_task(asyncio.sleep(60))
            await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()
        async def main():
            task = asyncio.create_task(asyncio.sleep(60))
            await asyncio.sleep(0)
            pid = os.fork()
            if pid == 0:
                asyncio.events._set_running_loop(None)
                print(asyncio.new_event_loop().run_until_complete(child()), flush=True)
                os._exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), task.cancel())
            await asyncio.wait([task])
            print(task.cancelled())
        asyncio.run(main())
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
    if name == "nest_asyncio":
        pytest.importorskip("nest_asyncio")
    if name == "tasks in Python" and sys.version_info >= (3, 12):
        pytest.skip("what gather calls can't be replaced there")
    found = record(tmp_path, UNUSUAL[name])
    assert (found.stdout, found.returncode) == plain(found), found.stderr
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
        cancel = vars(asyncio.Task)["cancel"]
        print(asyncio.Task.cancel.__doc__.split()[0])
        asyncio.run(asyncio.sleep(0))
        print(sum(type(getattr(*one)).__name__ == "function" for one in owners))
        import __main__
        __main__.probe.end()
        print(sum(type(getattr(*one)).__name__ == "function" for one in owners))
        print(vars(asyncio.Task)["cancel"] is cancel)
        asyncio.run(asyncio.sleep(0))
        """,
    )
    assert found.stdout.split() == ["Request", "0", "6", "False"], found.stderr
