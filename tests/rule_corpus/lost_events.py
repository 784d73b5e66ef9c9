"""A child that is killed, and one that ends by itself."""

import os
import signal
import sys
import time
from multiprocessing import Process


def live(*, killed: bool) -> None:
    sum(range(3_000_000))
    if killed:
        os.kill(os.getpid(), signal.SIGKILL)


def start(*, killed: bool) -> None:
    child = Process(target=live, kwargs={"killed": killed})
    child.start()
    child.join()
    time.sleep(0.5)


def trigger() -> None:
    start(killed=True)


def healthy() -> None:
    start(killed=False)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
