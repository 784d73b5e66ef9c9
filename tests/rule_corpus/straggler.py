"""A last piece that takes long, and pieces of one size."""

import sys
from multiprocessing import Process


def compute(size: int) -> None:
    sum(number * number for number in range(size))


def share(*sizes: int) -> None:
    workers = [Process(target=compute, args=(size,)) for size in sizes]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def trigger() -> None:
    share(24_000_000, 3_000_000)


def healthy() -> None:
    share(12_000_000, 12_000_000)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
