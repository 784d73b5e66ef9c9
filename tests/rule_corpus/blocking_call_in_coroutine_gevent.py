"""A driver that waits without gevent's knowledge, called in a greenlet and in gevent's threads."""

import sys
import time

import gevent

WITH = "states,tasks"


def query() -> None:
    time.sleep(0.03)


def tick() -> None:
    while True:
        gevent.sleep(0.005)


def blocking() -> None:
    for _ in range(15):
        query()
        gevent.sleep(0.01)


def in_threads() -> None:
    pool = gevent.get_hub().threadpool
    for _ in range(15):
        gevent.joinall([pool.spawn(query) for _ in range(4)])
        gevent.sleep(0.01)


def trigger() -> None:
    tickers = [gevent.spawn(tick) for _ in range(3)]
    gevent.spawn(blocking).join()
    gevent.killall(tickers)


def healthy() -> None:
    tickers = [gevent.spawn(tick) for _ in range(3)]
    gevent.spawn(in_threads).join()
    gevent.killall(tickers)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
