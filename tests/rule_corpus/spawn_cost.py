"""A process for every tiny piece of work, and one for all."""

import sys
from multiprocessing import Process


def piece(size: int) -> None:
    sum(range(size))


def trigger() -> None:
    for _ in range(40):
        worker = Process(target=piece, args=(100,))
        worker.start()
        worker.join()


def healthy() -> None:
    worker = Process(target=piece, args=(40_000_000,))
    worker.start()
    worker.join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
