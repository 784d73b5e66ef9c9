"""Tasks, greenlets and Deferreds: what a loop does with the exceptions of those it runs."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from concurtrace.workload import Record, Work

from .question import answer, bad, check, good


async def gather(work: Work) -> list[Record]:
    """Await all tasks; so many at a time as there are workers."""
    free = asyncio.Semaphore(work.workers)
    answers = await asyncio.gather(
        *[check_soon(work, index, free) for index in range(work.size)], return_exceptions=True
    )
    return [
        bad(index, one) if isinstance(one, BaseException) else good(index, one)
        for index, one in enumerate(answers)
    ]


async def check_soon(work: Work, index: int, free: asyncio.Semaphore) -> str:
    """Wait and answer, when there is a place."""
    async with free:
        await asyncio.sleep(work.number("task-ms") / 1000)
        return answer(work, index)


async def check_in_group(work: Work) -> list[Record]:
    """Run batches as task groups, and take their exception groups apart."""
    records: list[Record] = []
    for start in range(0, work.size, work.workers):
        batch = range(start, min(start + work.workers, work.size))
        together = Together(len(batch))
        try:
            async with asyncio.TaskGroup() as group:
                for index in batch:
                    group.create_task(check_together(work, index, together, records))
        except* (TypeError, ValueError) as failed:
            # A note says which task it was: an exception of a group has lost its task.
            records += [bad(int(error.__notes__[0]), error) for error in failed.exceptions]
    return records


class Together:
    """Lets all go on in the same turn of the loop; a barrier would let them go one by one."""

    def __init__(self, parties: int) -> None:
        self.missing = parties
        self.complete = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the others: the first failure of a group cancels those that still work."""
        self.missing -= 1
        if self.missing == 0:
            self.complete.set()
        await self.complete.wait()


async def check_together(work: Work, index: int, together: Together, records: list[Record]) -> None:
    """Wait and answer; raise only when nobody is left to be cancelled."""
    await asyncio.sleep(work.number("task-ms") / 1000)
    try:
        word = answer(work, index)
    except (TypeError, ValueError) as error:
        error.add_note(str(index))
        await together.wait()
        raise
    records.append(good(index, word))
    await together.wait()


def told_by_links(work: Work) -> list[Record]:
    """Let gevent call what was linked to a greenlet when that has ended."""
    from gevent import get_hub
    from gevent.pool import Pool

    records: list[Record] = []
    hub: Any = get_hub()
    # The hub prints what a greenlet raises, as if nobody was told of it.
    quiet, hub.NOT_ERROR = hub.NOT_ERROR, (*hub.NOT_ERROR, TypeError, ValueError)
    try:
        crew = Pool(work.workers)
        for index in range(work.size):
            one = crew.spawn(check, work, index)
            one.link_value(linked(index, records, lambda done, at: good(at, done.value)))
            one.link_exception(linked(index, records, lambda done, at: bad(at, done.exception)))
        crew.join()
    finally:
        hub.NOT_ERROR = quiet
    return records


def linked(
    index: int, records: list[Record], record: Callable[[Any, int], Record]
) -> Callable[[Any], None]:
    """Return what is called with the greenlet of a task when that has ended."""
    return lambda done: records.append(record(done, index))


def told_by_errbacks(work: Work) -> list[Record]:
    """Give every Deferred a callback for its answer and an errback for its failure."""
    from twisted.internet import defer, reactor, task

    records: list[Record] = []
    free = defer.DeferredSemaphore(work.workers)
    wait_s = work.number("task-ms") / 1000

    def start(index: int) -> Any:
        asked = task.deferLater(reactor, wait_s, answer, work, index)
        return asked.addCallbacks(
            lambda word: records.append(good(index, word)),
            lambda failure: records.append(bad(index, failure.value)),
        )

    def start_all() -> None:
        chains: Sequence[Any] = [free.run(start, index) for index in range(work.size)]
        defer.DeferredList(chains).addCallback(lambda _done: loop.stop())

    loop: Any = reactor
    loop.callWhenRunning(start_all)
    loop.run()
    return records
