"""Every item a task of its own at once, and a fixed number of workers."""

import asyncio
import sys

WITH = "states,tasks"
ITEMS = 6_000


async def handle(_item: int) -> None:
    sum(range(1_500))
    await asyncio.sleep(0.01)


async def worker(items: asyncio.Queue[int]) -> None:
    while not items.empty():
        await handle(items.get_nowait())


async def all_at_once() -> None:
    await asyncio.gather(*(handle(item) for item in range(ITEMS)))


async def by_workers() -> None:
    items: asyncio.Queue[int] = asyncio.Queue()
    for item in range(ITEMS // 4):
        items.put_nowait(item)
    await asyncio.gather(*(worker(items) for _ in range(20)))


def trigger() -> None:
    asyncio.run(all_at_once())


def healthy() -> None:
    asyncio.run(by_workers())


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
