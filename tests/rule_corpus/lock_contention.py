"""Threads that hash under one lock, and under a lock each. Hashing lets go of the GIL."""

import hashlib
import sys
import threading

DATA = bytes(1 << 20)


def work(lock: threading.Lock) -> None:
    for _ in range(250):
        with lock:
            hashlib.sha256(DATA).digest()


def share(locks: list[threading.Lock]) -> None:
    threads = [threading.Thread(target=work, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def trigger() -> None:
    share([threading.Lock()] * 4)


def healthy() -> None:
    share([threading.Lock() for _ in range(2)])


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
