"""A long preparation before parallel work, and a short one."""

import sys
from multiprocessing import Process


def compute(size: int) -> None:
    sum(number * number for number in range(size))


def work(alone: int, each: int) -> None:
    compute(alone)
    workers = [Process(target=compute, args=(each,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def trigger() -> None:
    work(24_000_000, 8_000_000)


def healthy() -> None:
    work(100_000, 20_000_000)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
