"""Twelve workers per core, and one."""

import os
import sys
from multiprocessing import Process


def compute(size: int) -> None:
    sum(number * number for number in range(size))


def crowd(per_core: int, size: int) -> None:
    many = per_core * len(os.sched_getaffinity(0))
    workers = [Process(target=compute, args=(size,)) for _ in range(many)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def trigger() -> None:
    crowd(12, 2_000_000)


def healthy() -> None:
    crowd(1, 12_000_000)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
