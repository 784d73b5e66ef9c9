"""Threads that compute, and processes that do the same."""

import sys
from multiprocessing import Process
from threading import Thread


def compute() -> None:
    sum(number * number for number in range(8_000_000))


def share(kind: type[Thread] | type[Process]) -> None:
    workers = [kind(target=compute) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def trigger() -> None:
    share(Thread)


def healthy() -> None:
    share(Process)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
