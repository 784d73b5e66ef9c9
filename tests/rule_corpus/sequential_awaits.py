"""Slow calls in threads, awaited one after the other, and all together."""

import asyncio
import sys
import time

WITH = "states,tasks"
CALLS = 5


async def ask() -> None:
    await asyncio.to_thread(time.sleep, 0.1)


async def main(together: bool) -> None:
    if together:
        await asyncio.gather(*(ask() for _ in range(CALLS)))
        await asyncio.sleep(0.2)
    else:
        for _ in range(CALLS):
            await ask()


def trigger() -> None:
    asyncio.run(main(together=False))


def healthy() -> None:
    asyncio.run(main(together=True))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
