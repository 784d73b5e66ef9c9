"""A task that never awaits until it is done, and one that lets others go on."""

import asyncio
import sys
import time

WITH = "states,tasks"


async def tick() -> None:
    while True:
        await asyncio.sleep(0.01)


async def load(*, gently: bool) -> None:
    until = time.monotonic() + 1.3
    while time.monotonic() < until:
        if gently:
            await asyncio.sleep(0.01)


async def main(gently: bool) -> None:
    ticker = asyncio.create_task(tick())
    await asyncio.create_task(load(gently=gently))
    ticker.cancel()


def trigger() -> None:
    asyncio.run(main(gently=False))


def healthy() -> None:
    asyncio.run(main(gently=True))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
