"""Four threads that compute in small functions, share a lock, keep memory and sleep a little."""

import hashlib
import threading
import time

THREADS = 4
ROUNDS = 400
STEPS = 50


def step(number: int) -> int:
    """Compute a little, in a call of its own."""
    return sum(range(number % 97))


def fold(first: int) -> bytes:
    """Compute in many small calls."""
    total = sum(step(number) for number in range(first, first + STEPS))
    return hashlib.sha256(str(total).encode()).digest()


def work(lock: threading.Lock, kept: list[bytes]) -> None:
    """Add to what all keep, now and then with a pause while the lock is held."""
    for number in range(ROUNDS):
        value = fold(number) * 100
        with lock:
            kept.append(value)
            if number % 20 == 0:
                time.sleep(0.001)


if __name__ == "__main__":
    lock, kept = threading.Lock(), list[bytes]()
    threads = [threading.Thread(target=work, args=(lock, kept)) for _ in range(THREADS)]
    start_ns = time.monotonic_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.monotonic_ns() - start_ns)
