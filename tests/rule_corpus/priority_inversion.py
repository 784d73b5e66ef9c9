"""A main thread that shares a lock with threads that compute, and one that does not."""

import sys
import threading
import time

LOCK = threading.Lock()


def compute(rounds: int, *, share: bool) -> None:
    for _ in range(rounds):
        if share:
            with LOCK:
                sum(range(1_000_000))
        else:
            sum(range(1_000_000))


def run(*, share: bool, count: int) -> None:
    threads = [
        threading.Thread(target=compute, args=(30,), kwargs={"share": share and not number})
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    while share and any(thread.is_alive() for thread in threads):
        with LOCK:
            pass
        time.sleep(0.005)
    for thread in threads:
        thread.join()


def trigger() -> None:
    run(share=True, count=4)


def healthy() -> None:
    run(share=False, count=1)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
