"""A new thread for every tiny piece of work, and a pool."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Thread


def piece() -> int:
    return sum(range(100))


def trigger() -> None:
    for _ in range(2000):
        thread = Thread(target=piece)
        thread.start()
        thread.join()


def healthy() -> None:
    with ThreadPoolExecutor(2) as executor:
        for _ in range(2000):
            executor.submit(piece)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
