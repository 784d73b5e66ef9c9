"""Many slow calls for two threads, and for as many threads as there are calls."""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

WITH = "states,tasks"


async def main(threads: int) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.08) for _ in range(20)))
    await asyncio.sleep(0.2)


def trigger() -> None:
    asyncio.run(main(2))


def healthy() -> None:
    asyncio.run(main(20))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
