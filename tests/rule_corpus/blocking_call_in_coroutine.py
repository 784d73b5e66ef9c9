"""A driver that waits without asyncio's knowledge, called in a coroutine and in a thread."""

import asyncio
import sys
import time

WITH = "states,tasks"


def query() -> None:
    time.sleep(0.03)


async def tick() -> None:
    while True:
        await asyncio.sleep(0.005)


async def blocking() -> None:
    for _ in range(30):
        query()
        await asyncio.sleep(0.01)


async def in_threads() -> None:
    for _ in range(30):
        await asyncio.gather(*(asyncio.to_thread(query) for _ in range(4)))
        await asyncio.sleep(0.01)


async def serve(work: asyncio.Task[None]) -> None:
    ticker = asyncio.create_task(tick())
    await work
    ticker.cancel()


async def main(healthy: bool) -> None:
    work = in_threads() if healthy else blocking()
    await serve(asyncio.create_task(work))


def trigger() -> None:
    asyncio.run(main(healthy=False))


def healthy() -> None:
    asyncio.run(main(healthy=True))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
