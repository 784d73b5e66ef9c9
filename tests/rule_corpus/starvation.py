"""A thread that others hardly let near a lock, and threads that leave it to each other."""

import sys
import threading
import time

LOCK = threading.Lock()


def turns(rounds: int, hold_s: float, pause_s: float) -> None:
    for _ in range(rounds):
        with LOCK:
            time.sleep(hold_s)
        time.sleep(pause_s)


def run(*wants: tuple[int, float, float]) -> None:
    threads = [threading.Thread(target=turns, args=one) for one in wants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def trigger() -> None:
    run((20, 0.05, 0), (20, 0.05, 0), (20, 0.05, 0), (100, 0, 0))


def healthy() -> None:
    run(*[(40, 0.001, 0.02)] * 3)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
