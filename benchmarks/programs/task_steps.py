"""Steps of asyncio tasks in three shapes, or very many tasks alive; prints the CPU time in ns."""

import asyncio
import sys
import time

TASKS = 100
ALIVE = 100_000


async def yields(steps: int) -> None:
    """Let others go first, again and again."""
    for _ in range(steps):
        await asyncio.sleep(0)


async def gives(items: "asyncio.Queue[int]", answers: "asyncio.Queue[int]", rounds: int) -> None:
    """Give items and take answers."""
    for number in range(rounds):
        await items.put(number)
        await answers.get()


async def takes(items: "asyncio.Queue[int]", answers: "asyncio.Queue[int]", rounds: int) -> None:
    """Take items and give answers."""
    for _ in range(rounds):
        await answers.put(await items.get())


async def sleeps(steps: int) -> None:
    """Sleep for as little as can be."""
    for _ in range(steps):
        await asyncio.sleep(0.000_001)


async def waits(begin: asyncio.Event) -> None:
    """Wait to be told, with all others."""
    await begin.wait()
    await asyncio.sleep(0)


async def main(shape: str, steps: int) -> None:
    """Run one shape."""
    if shape == "yields":
        await asyncio.gather(*(yields(steps // TASKS) for _ in range(TASKS)))
    elif shape == "queues":
        items: asyncio.Queue[int] = asyncio.Queue()
        answers: asyncio.Queue[int] = asyncio.Queue()
        rounds = steps // 2
        await asyncio.gather(gives(items, answers, rounds), takes(items, answers, rounds))
    elif shape == "timers":
        await asyncio.gather(*(sleeps(steps // TASKS) for _ in range(TASKS)))
    else:
        begin = asyncio.Event()
        tasks = [asyncio.ensure_future(waits(begin)) for _ in range(ALIVE)]
        await asyncio.sleep(0)
        begin.set()
        await asyncio.gather(*tasks)


if __name__ == "__main__":
    start = time.process_time_ns()
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    print(time.process_time_ns() - start)
