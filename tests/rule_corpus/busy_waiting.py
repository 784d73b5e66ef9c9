"""A thread that asks whether a result is there, and one that waits to be told."""

import sys
import threading
import time


def result(ready: threading.Event) -> None:
    time.sleep(1.5)
    ready.set()


def run(*, ask: bool) -> None:
    ready = threading.Event()
    thread = threading.Thread(target=result, args=(ready,))
    thread.start()
    if ask:
        while not ready.is_set():
            pass
    ready.wait()
    thread.join()


def trigger() -> None:
    run(ask=True)


def healthy() -> None:
    run(ask=False)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
