"""A pool that gets its work in one piece per worker, and one that gets it in many."""

import sys
from multiprocessing import Pool

# The work of an item grows with its number: half of the items are not half of the work.
ITEMS = range(1, 65)


def compute(item: int) -> int:
    return sum(number * number for number in range(150 * item * item))


def trigger() -> None:
    with Pool(2) as pool:
        pool.map(compute, ITEMS, chunksize=len(ITEMS) // 2)


def healthy() -> None:
    with Pool(2) as pool:
        pool.map(compute, reversed(ITEMS), chunksize=2)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
