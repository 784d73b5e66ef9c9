"""A sleep in C that keeps the GIL, and one that lets go of it."""

import ctypes
import sys
import threading


def compute() -> None:
    sum(number * number for number in range(6_000_000))


def beside(library: ctypes.CDLL) -> None:
    other = threading.Thread(target=compute)
    other.start()
    for _ in range(10):
        library.usleep(60_000)
    other.join()


def trigger() -> None:
    beside(ctypes.PyDLL(None))


def healthy() -> None:
    beside(ctypes.CDLL(None))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
