"""A callback that takes its time, and one that leaves most of it for later."""

import asyncio
import sys

WITH = "states,tasks"


def work(rounds: int) -> int:
    return sum(number * number for number in range(rounds))


async def tick() -> None:
    while True:
        await asyncio.sleep(0.005)


async def main(rounds: int, times: int) -> None:
    ticker = asyncio.create_task(tick())
    loop = asyncio.get_running_loop()
    for _ in range(times):
        loop.call_soon(work, rounds)
        await asyncio.sleep(0.02)
    ticker.cancel()


def trigger() -> None:
    asyncio.run(main(3_000_000, 6))


def healthy() -> None:
    asyncio.run(main(3_000, 30))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
