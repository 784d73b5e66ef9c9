"""A greenlet that never lets go until it is done, and one that lets others go on."""

import sys
import time

import gevent

WITH = "states,tasks"


def tick() -> None:
    while True:
        gevent.sleep(0.01)


def load(*, gently: bool) -> None:
    until = time.monotonic() + 1.3
    while time.monotonic() < until:
        if gently:
            gevent.sleep(0.01)


def run(*, gently: bool) -> None:
    tickers = [gevent.spawn(tick) for _ in range(3)]
    gevent.spawn(load, gently=gently).join()
    gevent.killall(tickers)


def trigger() -> None:
    run(gently=False)


def healthy() -> None:
    run(gently=True)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
