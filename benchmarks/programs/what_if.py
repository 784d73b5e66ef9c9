"""Programs in pairs: as they are, and after the change whose effect is foretold.

``python -m benchmarks.programs.what_if NAME VARIANT [WORKERS]``. Each pair does the same work. The
worker programs take a number of workers instead of a second variant.
"""

import asyncio
import hashlib
import multiprocessing
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

ROUND = 80_000
TURNS = 40
"""So that programs take half a second at least: starting an interpreter must not count."""
BLOCK = bytes(1 << 20)


def compute(rounds: float) -> int:
    """Compute in Python, with the GIL."""
    total = 0
    for number in range(round(rounds * ROUND)):
        total += number * number % 7
    return total


def digest(blocks: int) -> None:
    """Compute in C, without the GIL."""
    for _ in range(blocks):
        hashlib.sha256(BLOCK).digest()


def even(_part: int) -> None:
    """Equal shares of computing."""
    compute(60)


def uneven(part: int) -> None:
    """Shares of one, two, three and four parts."""
    compute(24 * (part + 1))


def mixed(_part: int) -> None:
    """Computing with waits between."""
    for _ in range(TURNS):
        compute(2)
        time.sleep(0.01)


def native(_part: int) -> None:
    """As much without the GIL as with it."""
    for _ in range(TURNS // 2):
        compute(3)
        digest(30)


def brief(_part: int) -> None:
    """So little that starting counts."""
    compute(8)


WORK: dict[str, Callable[[int], None]] = {
    "even": even,
    "uneven": uneven,
    "mixed": mixed,
    "native": native,
    "brief": brief,
}


def share(kind: Any, work: Callable[..., object], arguments: Iterable[tuple[Any, ...]]) -> None:
    """Let a worker do each part; ``kind`` makes one."""
    workers = [kind(target=work, args=one) for one in arguments]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def parts(name: str, variant: str) -> None:
    """Four parts, in threads or in processes; after a part that is done by one."""
    kind = {"threads": threading.Thread, "processes": multiprocessing.Process}[variant]
    if name == "serial":
        compute(60)
        share(kind, even, ((part,) for part in range(4)))
        return
    share(kind, WORK[name], ((part,) for part in range(4)))


def sleep_inside(guard: AbstractContextManager[Any]) -> None:
    """Wait for something with the lock held."""
    for _ in range(TURNS):
        with guard:
            time.sleep(0.01)
        time.sleep(0.005)


def digest_inside(guard: AbstractContextManager[Any]) -> None:
    """Compute in C with the lock held."""
    for _ in range(TURNS):
        with guard:
            digest(8)
        digest(4)


def sleep_little_inside(guard: AbstractContextManager[Any]) -> None:
    """Wait with the lock held, and longer without: it is not always contended."""
    for _ in range(TURNS):
        with guard:
            time.sleep(0.006)
        time.sleep(0.009)


def python_inside(guard: AbstractContextManager[Any]) -> None:
    """Compute in Python with the lock held: without it, there is still the GIL."""
    for _ in range(TURNS):
        with guard:
            compute(1)
        compute(0.5)


GUARDED = {
    "lock-sleep": sleep_inside,
    "lock-digest": digest_inside,
    "lock-little": sleep_little_inside,
    "lock-python": python_inside,
}


def guarded(name: str, variant: str) -> None:
    """Three threads with one lock, or with none."""
    guard: AbstractContextManager[Any] = threading.Lock() if variant == "lock" else nullcontext()
    share(threading.Thread, GUARDED[name], ((guard,) for _ in range(3)))


def workers(name: str, many: int) -> None:
    """Sixty pieces of work, shared by so many workers."""
    if name == "workers-compute":
        with multiprocessing.Pool(many) as pool:
            pool.map(compute, [3] * 60, chunksize=1)
        return
    tasks: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    for number in (*range(60), *[None] * many):
        tasks.put(number)
    guard = threading.Lock()

    def serve() -> None:
        while tasks.get() is not None:
            time.sleep(0.02)
            if name == "workers-guarded":
                with guard:
                    time.sleep(0.004)

    share(threading.Thread, serve, (() for _ in range(many)))


def starts(method: str) -> None:
    """Four processes with little to do, started in one of three ways."""
    context: Any = multiprocessing.get_context(method)
    share(context.Process, brief, ((part,) for part in range(4)))


def crumb(number: int) -> int:
    """Compute so little that handing it out costs more."""
    return sum(range(number % 100))


def pieces(each: int) -> None:
    """Crumbs of work for two processes, so many in a message."""
    with multiprocessing.Pool(2) as pool:
        pool.map(crumb, range(6_000), chunksize=each)


def crowd(kind: str) -> None:
    """Twenty that mostly wait, as threads or as tasks."""

    def in_thread() -> None:
        for _ in range(TURNS):
            time.sleep(0.005)
            compute(0.1)

    async def in_task() -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0.005)
            compute(0.1)

    async def all_tasks() -> None:
        await asyncio.gather(*(in_task() for _ in range(20)))

    if kind == "async":
        asyncio.run(all_tasks())
    else:
        share(threading.Thread, in_thread, (() for _ in range(20)))


def main() -> None:
    """Do the work of one variant."""
    name, variant = sys.argv[1:3]
    others = {"starts": starts, "pieces": lambda each: pieces(int(each)), "crowd": crowd}
    if name.startswith("workers"):
        workers(name, int(variant))
    elif name in others:
        others[name](variant)
    elif name in GUARDED:
        guarded(name, variant)
    else:
        parts(name, variant)


if __name__ == "__main__":
    main()
