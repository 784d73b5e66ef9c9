"""A parent that takes longer to make a task than a worker to do it, and one that names tasks."""

import sys
from multiprocessing import get_context

WORKERS = 2


def work(numbers: list[int]) -> int:
    return len(numbers)


def compute(number: int) -> int:
    return sum(one * one for one in range(150_000 + number))


def trigger() -> None:
    with get_context("fork").Pool(WORKERS) as pool:
        pieces = (list(range(number, number + 60_000)) for number in range(150))
        for _ in pool.imap_unordered(work, pieces):
            pass


def healthy() -> None:
    with get_context("fork").Pool(WORKERS) as pool:
        pool.map(compute, range(100), chunksize=10)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
