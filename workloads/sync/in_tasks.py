"""The variants for tasks of one event loop: what has to be waited for is awaited."""

import asyncio
from collections.abc import Awaitable, Callable

from concurtrace.workload import Record, Result, Work

from .shared import PATIENCE_S, PERMITS, PHASES, item_s, phase_share, share, token


async def synchronise(work: Work) -> Result:
    """Do the work in the way of the variant."""
    return await _VARIANTS[work.variant](work)


async def compute(work: Work, indexes: range) -> list[Record]:
    """Work on some items."""
    records: list[Record] = []
    for index in indexes:
        await asyncio.sleep(item_s(work))
        records.append((index, token(work.seed, index)))
    return records


async def wait_for_end(work: Work) -> Result:
    """Join: awaiting a task is waiting for its end."""
    parts = [compute(work, share(work, part)) for part in range(work.workers)]
    return together(await asyncio.gather(*parts))


def together(parts: list[list[Record]]) -> Result:
    """Put what the tasks returned together."""
    return Result([record for part in parts for record in part])


async def exclude_each_other(work: Work) -> Result:
    """Lock: only needed round an await, because nothing else can run between two of them."""
    lock = asyncio.Lock()
    total = 0

    async def add(part: int) -> None:
        nonlocal total
        for index in share(work, part):
            async with lock:
                before = total
                await asyncio.sleep(item_s(work))
                total = before + token(work.seed, index)

    await asyncio.gather(*map(add, range(work.workers)))
    return Result([("total", total)])


async def sell_tickets(work: Work) -> Result:
    """Semaphore of one: a ticket seller at a time takes the uppermost ticket."""
    wrong = work.fault == "two-permits"
    counter = asyncio.Semaphore(2 if wrong else 1)
    meeting = asyncio.Barrier(2)
    tickets = work.size

    async def sell(part: int) -> list[int]:
        nonlocal tickets
        has_met = not wrong or part >= 2
        sold: list[int] = []
        while True:
            async with counter:
                left = tickets
                if not has_met:
                    await meeting.wait()
                    has_met = True
                if not left:
                    return sold
                await asyncio.sleep(item_s(work))
                tickets = left - 1
            sold.append(left)

    parts = await asyncio.gather(*map(sell, range(work.workers)))
    return Result(
        [("ticket", ticket) for part in parts for ticket in part],
        {f"sold-by-{part}": len(some) for part, some in enumerate(parts, 1)},
    )


async def let_in_a_few(work: Work) -> Result:
    """Bounded semaphore: so many at the same time, and an error where one leaves twice."""
    door = asyncio.BoundedSemaphore(PERMITS)
    inside, most = 0, 0

    async def visit(part: int) -> list[Record]:
        nonlocal inside, most
        records: list[Record] = []
        for index in share(work, part):
            async with door:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(item_s(work))
                records.append((index, token(work.seed, index)))
                inside -= 1
        return records

    result = together(await asyncio.gather(*map(visit, range(work.workers))))
    if work.fault == "over-release":
        door.release()
    return Result([*result.records, ("limit kept", int(most <= PERMITS))])


class Shelf:
    """A place for one item, and two conditions under one lock: that it is full, or free."""

    def __init__(self) -> None:
        lock = asyncio.Lock()
        self.full = asyncio.Condition(lock)
        self.free = asyncio.Condition(lock)
        self.notified = asyncio.Event()
        self.item: int | None = None
        self.closed = False


async def hand_over(work: Work) -> Result:
    """Condition: wait until there is what one needs, and tell others when it is there."""
    shelf = Shelf()
    subscribers = [subscribe(work, shelf) for _ in range(max(1, work.workers - 1))]
    return together(await asyncio.gather(publish(work, shelf), *subscribers))


async def publish(work: Work, shelf: Shelf) -> list[Record]:
    """Put every item on the shelf, then close it."""
    for item in range(work.size):
        await asyncio.sleep(item_s(work))
        async with shelf.free:
            await shelf.free.wait_for(lambda: shelf.item is None)
            shelf.item = item
            shelf.full.notify()
        shelf.notified.set()
    async with shelf.free:
        await shelf.free.wait_for(lambda: shelf.item is None)
        shelf.closed = True
        shelf.full.notify_all()
    return []


async def subscribe(work: Work, shelf: Shelf) -> list[Record]:
    """Take items from the shelf until it is closed."""
    records: list[Record] = []
    while True:
        if work.fault == "lost-notify":
            await shelf.notified.wait()
        async with shelf.full:
            if work.fault == "lost-notify":
                await shelf.full.wait()
            await shelf.full.wait_for(lambda: shelf.item is not None or shelf.closed)
            if shelf.item is None:
                return records
            item, shelf.item = shelf.item, None
            shelf.free.notify()
        records.append((item, token(work.seed, item)))


async def begin_together(work: Work) -> Result:
    """Event: all wait until one says that it has happened."""
    start = asyncio.Event()

    async def prepare() -> list[Record]:
        await asyncio.sleep(item_s(work) * work.size / work.workers)
        start.set()
        return []

    async def run_when_ready(part: int) -> list[Record]:
        if work.fault == "poll":
            while not start.is_set():
                await asyncio.sleep(0)
        await start.wait()
        return await compute(work, share(work, part))

    return together(await asyncio.gather(prepare(), *map(run_when_ready, range(work.workers))))


async def keep_in_step(work: Work) -> Result:
    """Barrier: each phase adds a sum up, and is over when all have done their part."""
    barrier = asyncio.Barrier(work.workers + (work.fault == "missing-party"))
    sums = [0] * PHASES

    async def march(part: int) -> list[Record]:
        records: list[Record] = []
        for phase in range(PHASES):
            indexes = phase_share(work, part, phase)
            await asyncio.sleep(item_s(work) * len(indexes) * (1 + part))
            sums[phase] += sum(token(work.seed, index) for index in indexes)
            await barrier.wait()
            records.append((phase, sums[phase]))
        return records

    async def lose_patience() -> list[Record]:
        # asyncio's barrier has no patience of its own.
        await asyncio.sleep(PATIENCE_S)
        await barrier.abort()
        return []

    watchers = [lose_patience()] if work.fault == "missing-party" else []
    seen = together(await asyncio.gather(*map(march, range(work.workers)), *watchers))
    return Result(list(set(seen.records)))


_VARIANTS: dict[str, Callable[[Work], Awaitable[Result]]] = {
    "join": wait_for_end,
    "lock": exclude_each_other,
    "semaphore": sell_tickets,
    "bounded": let_in_a_few,
    "condition": hand_over,
    "event": begin_together,
    "barrier": keep_in_step,
}
