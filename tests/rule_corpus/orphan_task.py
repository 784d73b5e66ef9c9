"""A task that fails unseen, and one whose failure is dealt with."""

import asyncio
import sys

WITH = "states,tasks"


async def save() -> None:
    await asyncio.sleep(0.01)
    raise OSError("the disk is full")


async def forgotten() -> None:
    asyncio.create_task(save())  # noqa: RUF006 - the mistake to be seen
    await asyncio.sleep(0.3)


async def awaited() -> None:
    task = asyncio.create_task(save())
    await asyncio.sleep(0.3)
    try:
        await task
    except OSError as error:
        print(error)


def trigger() -> None:
    asyncio.run(forgotten())


def healthy() -> None:
    asyncio.run(awaited())


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
