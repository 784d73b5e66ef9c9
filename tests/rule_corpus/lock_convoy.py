"""Eight threads that do all their work under one lock, and hardly any of it."""

import hashlib
import sys
import threading

DATA = bytes(1 << 20)
LITTLE = 1 << 17
LOCK = threading.Lock()


def inside(rounds: int) -> None:
    for _ in range(rounds):
        with LOCK:
            hashlib.sha256(DATA).digest()
        hashlib.sha256(DATA[:LITTLE]).digest()


def outside(rounds: int) -> None:
    for _ in range(rounds):
        digest = hashlib.sha256(DATA).digest()
        with LOCK:
            len(digest)


def trigger() -> None:
    threads = [threading.Thread(target=inside, args=(150,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def healthy() -> None:
    threads = [threading.Thread(target=outside, args=(300,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
