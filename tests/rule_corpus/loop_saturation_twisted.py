"""More small steps than a reactor can do, and as many as it does with ease."""

import sys
import time
from collections.abc import Generator
from typing import Any

from twisted.internet import defer, task

WITH = "states,tasks"


@defer.inlineCallbacks
def ask(reactor: Any, until: float, pause: float) -> Generator[Any, Any, None]:
    while time.monotonic() < until:
        sum(range(2_000))
        yield task.deferLater(reactor, pause)


def run(reactor: Any, clients: int, pause: float) -> defer.Deferred[Any]:
    until = time.monotonic() + 1.5
    return defer.gatherResults([ask(reactor, until, pause) for _ in range(clients)])


def trigger() -> None:
    task.react(lambda reactor: run(reactor, 300, 0.001))


def healthy() -> None:
    task.react(lambda reactor: run(reactor, 5, 0.02))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
