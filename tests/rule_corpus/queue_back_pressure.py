"""A small queue before a slow consumer, and before one that keeps up."""

import hashlib
import queue
import sys
import threading

DATA = bytes(1 << 20)
ITEMS = 60


def work(times: int) -> None:
    for _ in range(times):
        hashlib.sha256(DATA).digest()


def consume(items: "queue.Queue[int | None]", times: int) -> None:
    while items.get() is not None:
        work(times)


def run(produce: int, times: int) -> None:
    items: queue.Queue[int | None] = queue.Queue(maxsize=2)
    consumer = threading.Thread(target=consume, args=(items, times))
    consumer.start()
    for number in range(ITEMS):
        work(produce)
        items.put(number)
    items.put(None)
    consumer.join()


def trigger() -> None:
    run(produce=1, times=8)


def healthy() -> None:
    run(produce=6, times=5)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
