"""Twelve workers per core, and one that takes piece after piece."""

import os
import sys
from multiprocessing import Pool, Process

CORES = len(os.sched_getaffinity(0))


def compute(size: int) -> None:
    sum(number * number for number in range(size))


def trigger() -> None:
    workers = [Process(target=compute, args=(2_000_000,)) for _ in range(12 * CORES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def healthy() -> None:
    with Pool(CORES) as pool:
        for _ in pool.imap_unordered(compute, [500_000] * 24 * CORES):
            pass


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
