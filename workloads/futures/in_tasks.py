"""What can be done with the futures of an event loop: everything in one thread."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from concurtrace.workload import Record, Work

from .tasks import CANCELLED, Task, TaskError, answer, fails, is_cancelled, number, said, tasks_of


def use_loop(work: Work) -> list[Record]:
    """Do what the variant says in an event loop."""
    return asyncio.run(_use(work))


async def _use(work: Work) -> list[Record]:
    return await USES[work.variant](work)


async def wait_and_tell(limit: asyncio.Semaphore, task: Task) -> Record:
    """Do a task when it is its turn: what each asyncio task runs."""
    async with limit:
        await asyncio.sleep(task.wait_s)
        return (task.index, number(task.seed, task.index))


def start(work: Work) -> list["asyncio.Task[Record]"]:
    """Start a task for each; so many at once get on with it."""
    limit = asyncio.Semaphore(work.workers)
    return [
        asyncio.create_task(wait_and_tell(limit, task), name=f"task-{task.index}")
        for task in tasks_of(work)
    ]


async def await_in_turn(work: Work) -> list[Record]:
    """Await the futures of an executor, which the loop has wrapped in its own, in turn."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(work.workers, thread_name_prefix="worker") as pool:
        futures = [loop.run_in_executor(pool, answer, task) for task in tasks_of(work)]
        return [await future for future in futures]


async def gather_all(work: Work) -> list[Record]:
    """Gather: results in the order of the input, whatever is ready before."""
    results = await asyncio.gather(*start(work))
    return [(place, value) for place, (_, value) in enumerate(results)]


async def take_as_completed(work: Work) -> list[Record]:
    """Take each result when it is there."""
    if work.fault == "result-never-asked":
        return await never_ask(work)
    return [await earliest for earliest in asyncio.as_completed(start(work))]


async def never_ask(work: Work) -> list[Record]:
    """Let each task write down its result, and wait until all are done."""
    board: list[Record] = []
    await asyncio.wait([asyncio.create_task(write_down(board, task)) for task in tasks_of(work)])
    return board


async def write_down(board: list[Record], task: Task) -> None:
    """Do a task and put its result on the board; the first one fails before that."""
    if task.index == 0:
        raise TaskError(said(task.index))
    await asyncio.sleep(task.wait_s)
    board.append((task.index, number(task.seed, task.index)))


async def cancel_some(work: Work) -> list[Record]:
    """Call off every second task before any of them has had its turn."""
    tasks = start(work)
    for index, task in enumerate(tasks):
        # None has begun: that takes an await in this one. The cancelled ones never will.
        if is_cancelled(index):
            task.cancel()
    await asyncio.wait(tasks)
    return [
        (index, CANCELLED) if task.cancelled() else task.result()
        for index, task in enumerate(tasks)
    ]


class Board:
    """What the callbacks leave behind; the loop calls them, one after the other."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.records: list[Record] = []
        self.calls: Counter[object] = Counter()

    def note_result(self, task: "asyncio.Task[Record]") -> None:
        """Write down the result: the first callback of each task."""
        if self.fault == "callback-raises":
            raise TaskError("a callback failed")
        self.records.append(task.result())
        self.calls[task.result()[0]] += 1

    def note_end(self, task: "asyncio.Task[Record]") -> None:
        """Count the call: the second callback."""
        self.calls[task.result()[0]] += 1


async def call_back(work: Work) -> list[Record]:
    """Have two functions called with each task when it is done."""
    board = Board(work.fault)
    tasks = start(work)
    for task in tasks:
        task.add_done_callback(board.note_result)
        task.add_done_callback(board.note_end)
    # It, too, waits by a callback of each task, which comes after these two.
    await asyncio.wait(tasks)
    return [(*record, board.calls[record[0]]) for record in board.records]


async def use_stubs(work: Work) -> list[Record]:
    """Let tasks wait for futures that nobody works on, and fill these by hand."""
    loop = asyncio.get_running_loop()
    stubs: list[asyncio.Future[int]] = [loop.create_future() for _ in range(work.size)]
    askers = [asyncio.create_task(asked(stub, index)) for index, stub in enumerate(stubs)]
    for index, stub in enumerate(stubs):
        if fails(index):
            stub.set_exception(TaskError(said(index)))
        else:
            stub.set_result(number(work.seed, index))
    return list(await asyncio.gather(*askers))


async def asked(stub: "asyncio.Future[int]", index: int) -> Record:
    """Ask a future for its result: what is tested with a stub."""
    try:
        return (index, await stub)
    except TaskError as error:
        return (index, str(error))


USES: dict[str, Callable[[Work], Awaitable[list[Record]]]] = {
    "urls": await_in_turn,
    "map": gather_all,
    "as-completed": take_as_completed,
    "cancel": cancel_some,
    "callback": call_back,
    "stub": use_stubs,
}
