"""A daemon thread that still works when the program ends, and one that is waited for."""

import sys
import threading
import time
import zlib

DATA = bytes(1 << 20)


def compress(pieces: int) -> None:
    for _ in range(pieces):
        zlib.compress(DATA, 9)


def trigger() -> None:
    threading.Thread(target=compress, args=(100_000,), daemon=True).start()
    time.sleep(1.5)


def healthy() -> None:
    worker = threading.Thread(target=compress, args=(60,), daemon=True)
    worker.start()
    time.sleep(0.5)
    worker.join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
