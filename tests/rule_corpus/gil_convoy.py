"""Short sleeps beside a thread that computes, and beside none."""

import sys
import threading
import time


def rounds(stop: threading.Event) -> None:
    for _ in range(150):
        time.sleep(0.002)
    stop.set()


def spin(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(1000))


def trigger() -> None:
    stop = threading.Event()
    threading.Thread(target=spin, args=(stop,)).start()
    rounds(stop)


def healthy() -> None:
    rounds(threading.Event())


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
