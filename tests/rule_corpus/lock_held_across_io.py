"""A call to a slow peer with a lock held, and without."""

import sys
import threading
import time

LOCK = threading.Lock()


def ask() -> int:
    time.sleep(0.02)
    return 1


def inside() -> None:
    for _ in range(15):
        with LOCK:
            ask()


def outside() -> None:
    for _ in range(15):
        answer = ask()
        with LOCK:
            str(answer)


def share(work: object) -> None:
    threads = [threading.Thread(target=work) for _ in range(3)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def trigger() -> None:
    share(inside)


def healthy() -> None:
    share(outside)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
