"""Large lists sent for little work, and numbers sent for much."""

import sys
from multiprocessing import Pool


def length(items: list[int]) -> int:
    return len(items)


def compute(size: int) -> int:
    return sum(number * number for number in range(size))


def trigger() -> None:
    items = list(range(1_000_000))
    with Pool(2) as pool:
        pool.map(length, [items] * 12, chunksize=1)


def healthy() -> None:
    with Pool(2) as pool:
        pool.map(compute, [3_000_000] * 8, chunksize=1)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
