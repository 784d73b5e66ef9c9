"""Steps of asyncio tasks in four shapes, or very many tasks alive; prints the CPU time in ns.

Of very many tasks it also prints how many tasks and steps there were, and the memory it took.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

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


async def computes(steps: int) -> None:
    """Compute a little before every wait."""
    for _ in range(steps):
        sum(range(20_000))
        await asyncio.sleep(0)


async def waits(begin: asyncio.Event, steps: int) -> None:
    """Wait to be told, with all others; then let them go first. So many steps are made."""
    await begin.wait()
    await yields(steps - 2)


async def main(shape: str, steps: int) -> None:
    """Run one of the four shapes."""
    if shape == "yields":
        await asyncio.gather(*(yields(steps // TASKS) for _ in range(TASKS)))
    elif shape == "queues":
        items: asyncio.Queue[int] = asyncio.Queue()
        answers: asyncio.Queue[int] = asyncio.Queue()
        rounds = steps // 2
        await asyncio.gather(gives(items, answers, rounds), takes(items, answers, rounds))
    elif shape == "computes":
        await asyncio.gather(*(computes(steps // TASKS) for _ in range(TASKS)))
    else:
        await asyncio.gather(*(sleeps(steps // TASKS) for _ in range(TASKS)))


async def crowd(steps: int) -> None:
    """Let very many tasks live at once, and make all steps between them; three are its own."""
    begin = asyncio.Event()
    tasks = [asyncio.ensure_future(waits(begin, steps // ALIVE)) for _ in range(ALIVE)]
    await asyncio.sleep(0)
    begin.set()
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    start = time.process_time_ns()
    if sys.argv[1] == "alive":
        # Not asyncio.run, which makes tasks of its own at the end.
        loop = asyncio.new_event_loop()
        loop.run_until_complete(crowd(int(sys.argv[2])))
        loop.close()
        told = {"tasks": ALIVE + 1, "steps": int(sys.argv[2]) // ALIVE * ALIVE + 3}
        told["peak_kib"] = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
        print(json.dumps(told))
    else:
        asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    print(time.process_time_ns() - start)
