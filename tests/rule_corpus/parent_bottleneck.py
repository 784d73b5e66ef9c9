"""A parent that takes longer to make a task than a worker to do it, and one that names tasks."""

import sys
from multiprocessing import get_context

WORKERS = 2


def prepare(_number: int) -> list[int]:
    return [one * one % 7 for one in range(80_000)][:100]


def work(numbers: list[int]) -> int:
    return sum(one * one for one in range(20_000 + len(numbers)))


def compute(number: int) -> int:
    return sum(one * one for one in range(150_000 + number))


def trigger() -> None:
    with get_context("fork").Pool(WORKERS) as pool:
        for _ in pool.imap_unordered(work, map(prepare, range(150))):
            pass


def healthy() -> None:
    with get_context("fork").Pool(WORKERS) as pool:
        pool.map(compute, range(100), chunksize=10)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
