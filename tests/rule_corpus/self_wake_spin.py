"""A task that asks whether it is time yet, and one that is told."""

import asyncio
import sys

WITH = "states,tasks"


async def asking(ready: asyncio.Event) -> None:
    while not ready.is_set():
        await asyncio.sleep(0)


async def told(ready: asyncio.Event) -> None:
    await ready.wait()


async def main(spin: bool) -> None:
    ready = asyncio.Event()
    waits = asyncio.create_task(asking(ready) if spin else told(ready))
    await asyncio.sleep(0.8)
    ready.set()
    await waits


def trigger() -> None:
    asyncio.run(main(spin=True))


def healthy() -> None:
    asyncio.run(main(spin=False))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
