"""A lock for every item, and one for many."""

import sys
import threading
import time

LOCK = threading.Lock()


def meet() -> None:
    with LOCK:
        time.sleep(0.05)


def trigger() -> None:
    other = threading.Thread(target=meet)
    other.start()
    total = 0
    for number in range(400_000):
        with LOCK:
            total += number
    other.join()


def healthy() -> None:
    total = 0
    for start in range(0, 4_000_000, 1000):
        with LOCK:
            total += sum(range(start, start + 1000))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
