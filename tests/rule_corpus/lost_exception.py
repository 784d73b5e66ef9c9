"""Threads and calls whose exceptions nobody asks for, and the same with somebody who does."""

import hashlib
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

DATA = bytes(1 << 24)


def load(number: int) -> int:
    hashlib.sha256(DATA).digest()
    if number % 2:
        raise ValueError(f"row {number} is bad")
    return number


def trigger() -> None:
    with ThreadPoolExecutor(2) as executor:
        executor.map(load, range(40))
    thread = threading.Thread(target=load, args=(1,), name="loader")
    thread.start()
    thread.join()


def healthy() -> None:
    with ThreadPoolExecutor(2) as executor:
        results: list[Future[int]] = [executor.submit(load, number) for number in range(40)]
    print(sum(one.exception() is None for one in results))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
