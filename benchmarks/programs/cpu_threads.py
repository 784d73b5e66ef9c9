"""Four threads that compute, sharing the GIL."""

import threading
import time

THREADS = 4
STEPS = 8_000_000


def spin() -> None:
    """Count down."""
    left = STEPS
    while left:
        left -= 1


if __name__ == "__main__":
    threads = [threading.Thread(target=spin) for _ in range(THREADS)]
    start_ns = time.monotonic_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.monotonic_ns() - start_ns)
