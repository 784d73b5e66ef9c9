"""Slow calls in gevent's threads, waited for one after the other, and all together."""

import sys
import time

import gevent

WITH = "states,tasks"
CALLS = 5


def ask() -> None:
    gevent.get_hub().threadpool.apply(time.sleep, (0.1,))


def one_by_one() -> None:
    for _ in range(CALLS):
        ask()


def together() -> None:
    gevent.joinall([gevent.spawn(ask) for _ in range(CALLS)])
    gevent.sleep(0.2)


def trigger() -> None:
    gevent.spawn(one_by_one).join()


def healthy() -> None:
    gevent.spawn(together).join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
