"""A producer that is slower than its workers, and one that is faster."""

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


def run(produce: int, consume_times: int) -> None:
    items: queue.Queue[int | None] = queue.Queue()
    workers = [threading.Thread(target=consume, args=(items, consume_times)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for number in range(ITEMS):
        work(produce)
        items.put(number)
    for _ in workers:
        items.put(None)
    for worker in workers:
        worker.join()


def trigger() -> None:
    run(produce=8, consume_times=1)


def healthy() -> None:
    run(produce=0, consume_times=8)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
