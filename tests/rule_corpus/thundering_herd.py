"""One item for ten threads, of which all are woken, and of which one is."""

import sys
import threading
import time

WORKERS = 10
ITEMS = 200


class Box:
    def __init__(self, *, wake_all: bool) -> None:
        self.wake_all = wake_all
        self.items: list[int] = []
        self.changed = threading.Condition()

    def put(self, item: int) -> None:
        with self.changed:
            self.items.append(item)
            if self.wake_all:
                self.changed.notify_all()
            else:
                self.changed.notify()

    def take(self) -> int:
        with self.changed:
            while not self.items:
                self.changed.wait()
            return self.items.pop()


def work(box: Box) -> None:
    while box.take() >= 0:
        time.sleep(0.001)


def run(*, wake_all: bool) -> None:
    box = Box(wake_all=wake_all)
    threads = [threading.Thread(target=work, args=(box,)) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for number in range(ITEMS):
        box.put(number)
        time.sleep(0.005)
    for _ in threads:
        box.put(-1)
    for thread in threads:
        thread.join()


def trigger() -> None:
    run(wake_all=True)


def healthy() -> None:
    run(wake_all=False)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
