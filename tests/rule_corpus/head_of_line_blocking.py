"""Short questions behind long reports in one pool, and long reports with a pool of their own."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

WITH = "states,tasks"


def work(seconds: float) -> None:
    time.sleep(seconds)


def serve(short: ThreadPoolExecutor, long: ThreadPoolExecutor) -> None:
    for number in range(200):
        if number in (50, 51, 120, 121):
            long.submit(work, 0.3)
        short.submit(work, 0.001)
        time.sleep(0.005)


def trigger() -> None:
    with ThreadPoolExecutor(2) as both:
        serve(both, both)


def healthy() -> None:
    with ThreadPoolExecutor(2) as short, ThreadPoolExecutor(2) as long:
        serve(short, long)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
