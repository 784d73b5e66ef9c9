"""Computing in a coroutine, and in a process beside the loop."""

import asyncio
import sys
from concurrent.futures import ProcessPoolExecutor

WITH = "states,tasks"


def compute() -> int:
    return sum(number * number for number in range(2_500_000))


async def tick() -> None:
    while True:
        await asyncio.sleep(0.005)


async def parse() -> int:
    return compute()


async def here() -> None:
    for _ in range(6):
        await parse()
        await asyncio.sleep(0.01)


async def elsewhere() -> None:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, compute) for _ in range(6)))


async def main(healthy: bool) -> None:
    ticker = asyncio.create_task(tick())
    await (elsewhere() if healthy else here())
    ticker.cancel()


def trigger() -> None:
    asyncio.run(main(healthy=False))


def healthy() -> None:
    asyncio.run(main(healthy=True))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
