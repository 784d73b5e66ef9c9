"""Three million `with lock` that nobody else wants."""

import threading
import time

TIMES = 3_000_000


def take(lock: threading.Lock) -> None:
    """Take the lock again and again."""
    for _ in range(TIMES):
        with lock:
            pass


if __name__ == "__main__":
    lock = threading.Lock()
    start_ns = time.monotonic_ns()
    take(lock)
    print(time.monotonic_ns() - start_ns)
