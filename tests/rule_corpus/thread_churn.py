"""A new thread for every tiny piece of work, and two threads for all of them."""

import hashlib
import sys
from threading import Thread

DATA = bytes(1 << 17)


def piece() -> None:
    hashlib.sha256(DATA).digest()


def pieces(many: int) -> None:
    for _ in range(many):
        piece()


def trigger() -> None:
    for _ in range(2000):
        thread = Thread(target=piece)
        thread.start()
        thread.join()


def healthy() -> None:
    threads = [Thread(target=pieces, args=(1000,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
