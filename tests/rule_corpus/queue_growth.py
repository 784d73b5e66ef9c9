"""A log that is written faster than it is read, and one whose reader keeps up."""

import hashlib
import queue
import sys
import threading

DATA = bytes(1 << 20)
ITEMS = 400


def work(times: int) -> None:
    for _ in range(times):
        hashlib.sha256(DATA).digest()


def read(items: "queue.Queue[int]", times: int, over: threading.Event) -> None:
    while not over.is_set():
        items.get()
        work(times)


def run(write: int, times: int, count: int) -> None:
    items: queue.Queue[int] = queue.Queue()
    over = threading.Event()
    reader = threading.Thread(target=read, args=(items, times, over))
    reader.start()
    for number in range(count):
        work(write)
        items.put(number)
    over.set()
    items.put(0)
    reader.join()


def trigger() -> None:
    run(write=1, times=4, count=ITEMS)


def healthy() -> None:
    run(write=6, times=5, count=ITEMS // 5)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
