"""Reports that are written under the lock of a counter, and reports that only read it there."""

import sys
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

PERIOD_S, REPORTS, WRITING_S = 0.025, 40, 0.002


def count(lock: Lock, done: Event) -> None:
    while not done.is_set():
        with lock:
            pass
        time.sleep(0.0005)


def write_inside(lock: Lock) -> None:
    with lock:
        time.sleep(WRITING_S)


def write_outside(lock: Lock) -> None:
    with lock:
        pass
    time.sleep(WRITING_S)


def report(lock: Lock, write: Callable[[Lock], None]) -> None:
    for _ in range(REPORTS):
        time.sleep(PERIOD_S - time.monotonic() % PERIOD_S)
        write(lock)


def run(write: Callable[[Lock], None]) -> None:
    lock, done = Lock(), Event()
    counter = Thread(target=count, args=(lock, done))
    reporters = [Thread(target=report, args=(lock, write)) for _ in range(4)]
    for thread in (counter, *reporters):
        thread.start()
    for thread in reporters:
        thread.join()
    done.set()
    counter.join()


def trigger() -> None:
    run(write_inside)


def healthy() -> None:
    run(write_outside)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
