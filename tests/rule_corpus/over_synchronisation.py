"""A lock for every item, and one for many."""

import sys
import threading

LOCK = threading.Lock()


def trigger() -> None:
    total = 0
    for number in range(400_000):
        with LOCK:
            total += number


def healthy() -> None:
    total = 0
    for start in range(0, 4_000_000, 1000):
        with LOCK:
            total += sum(range(start, start + 1000))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
