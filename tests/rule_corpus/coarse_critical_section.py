"""Threads that compute under a lock, and threads that take it for the change alone."""

import hashlib
import sys
import threading
from collections.abc import Callable

DATA = bytes(30 << 20)
LOCK = threading.Lock()
DIGESTS: list[bytes] = []


def inside(rounds: int) -> None:
    for _ in range(rounds):
        with LOCK:
            DIGESTS.append(hashlib.sha256(DATA).digest())


def outside(rounds: int) -> None:
    for _ in range(rounds):
        digest = hashlib.sha256(DATA).digest()
        with LOCK:
            DIGESTS.append(digest)


def run(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(10,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def trigger() -> None:
    run(inside, 4)


def healthy() -> None:
    run(outside, 2)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
