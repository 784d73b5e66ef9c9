"""Computing in a greenlet, and in a process beside the hub."""

import sys
from multiprocessing import get_context

import gevent

WITH = "states,tasks"


def compute() -> int:
    return sum(number * number for number in range(2_500_000))


def tick() -> None:
    while True:
        gevent.sleep(0.005)


def parse() -> None:
    for _ in range(6):
        compute()
        gevent.sleep(0.01)


def trigger() -> None:
    tickers = [gevent.spawn(tick) for _ in range(3)]
    gevent.spawn(parse).join()
    gevent.killall(tickers)


def healthy() -> None:
    with get_context("spawn").Pool(2) as pool:
        results = [pool.apply_async(compute) for _ in range(6)]
        while not all(one.ready() for one in results):
            gevent.sleep(0.02)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
