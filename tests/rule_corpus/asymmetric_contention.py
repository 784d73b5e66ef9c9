"""Reports that are written under the lock of a counter, and reports that only read it there."""

import sys
import time
from threading import Event, Lock, Thread

PERIOD_S, REPORTS = 0.025, 40


def count(lock: Lock, done: Event) -> None:
    while not done.is_set():
        with lock:
            pass
        time.sleep(0.0005)


def report(lock: Lock, inside_s: float, outside_s: float) -> None:
    for _ in range(REPORTS):
        time.sleep(PERIOD_S - time.monotonic() % PERIOD_S)
        with lock:
            time.sleep(inside_s)
        time.sleep(outside_s)


def run(inside_s: float, outside_s: float) -> None:
    lock, done = Lock(), Event()
    counter = Thread(target=count, args=(lock, done))
    reporters = [Thread(target=report, args=(lock, inside_s, outside_s)) for _ in range(4)]
    for thread in (counter, *reporters):
        thread.start()
    for thread in reporters:
        thread.join()
    done.set()
    counter.join()


def trigger() -> None:
    run(0.002, 0)


def healthy() -> None:
    run(0, 0.002)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
