"""Programs of coroutines that block their loop, or do not, chosen by a seed."""

import random

CALLS = (
    "time.sleep({s})",
    "pipe_after({s})",
    "lock_after({s})",
    "told_after({s})",
    "subprocess.run(['sleep', '{s}'])",
)
CLEAN = (
    "await asyncio.sleep(0.03)",
    "sum(range(2000))",
    "await give()",
)
BLOCKING = """\
import asyncio, os, queue, subprocess, threading, time
def pipe_after(seconds):
    reader, writer = os.pipe()
    threading.Timer(seconds, os.write, (writer, b"x")).start()
    os.read(reader, 1)
def lock_after(seconds):
    lock = threading.Lock()
    lock.acquire()
    threading.Timer(seconds, lock.release).start()
    lock.acquire()
def told_after(seconds):
    items = queue.Queue()
    threading.Timer(seconds, items.put, (1,)).start()
    items.get()
async def give():
    items = asyncio.Queue(1)
    for item in range(5):
        await items.put(item)
        await items.get()"""


def blocking_program(seed: int, bad: int = 100, clean: int = 100) -> tuple[str, dict[str, int]]:
    """Write a program: ``bad`` coroutines that block, told with the line, and ``clean`` ones."""
    chance = random.Random(seed)
    lines, expected, names = BLOCKING.splitlines(), {}, []
    for number in range(bad):
        call = chance.choice(CALLS).format(s=round(chance.uniform(0.022, 0.03), 4))
        lines.append(f"async def bad_{number}():")
        lines += ["    await asyncio.sleep(0)"] * chance.randrange(3)
        expected[f"bad_{number}"] = len(lines) + 1
        lines += [f"    {call}", "    await asyncio.sleep(0)"]
    for number in range(clean):
        lines += [f"async def clean_{number}():", f"    {chance.choice(CLEAN)}"]
        lines += ["    await asyncio.sleep(0.001)"]
    names = [*expected, *(f"clean_{number}" for number in range(clean))]
    chance.shuffle(names)
    lines += [
        "async def main():",
        f"    await asyncio.gather({', '.join(f'{name}()' for name in names)})",
        "asyncio.run(main())",
    ]
    return "\n".join(lines), expected
