"""Two workers for forty calls that wait, and forty workers."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor


def ask(_number: int) -> None:
    time.sleep(0.05)


def pool(size: int, calls: int) -> None:
    with ThreadPoolExecutor(size) as executor:
        list(executor.map(ask, range(calls)))


def trigger() -> None:
    pool(2, 40)


def healthy() -> None:
    with ThreadPoolExecutor(8) as executor:
        for _ in range(10):
            list(executor.map(ask, range(4)))
            time.sleep(0.05)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
