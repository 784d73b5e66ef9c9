"""More small steps than a hub can do, and as many as it does with ease."""

import sys
import time

import gevent

WITH = "states,tasks"


def ask(until: float, pause: float) -> None:
    while time.monotonic() < until:
        sum(range(2_000))
        gevent.sleep(pause)


def run(clients: int, pause: float) -> None:
    until = time.monotonic() + 1.5
    gevent.joinall([gevent.spawn(ask, until, pause) for _ in range(clients)])


def trigger() -> None:
    run(300, 0.001)


def healthy() -> None:
    run(5, 0.02)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
