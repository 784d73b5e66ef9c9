"""A generator that never yields until it is done, and one that lets others go on."""

import sys
import time
from collections.abc import Generator
from typing import Any

from twisted.internet import defer, task

WITH = "states,tasks"


@defer.inlineCallbacks
def tick(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(100):
        yield task.deferLater(reactor, 0.01)


@defer.inlineCallbacks
def load(reactor: Any, *, gently: bool) -> Generator[Any, Any, None]:
    until = time.monotonic() + 1.3
    while time.monotonic() < until:
        if gently:
            yield task.deferLater(reactor, 0.01)


def run(reactor: Any, *, gently: bool) -> defer.Deferred[Any]:
    tickers = [tick(reactor) for _ in range(3)]
    return defer.gatherResults([*tickers, load(reactor, gently=gently)])


def trigger() -> None:
    task.react(lambda reactor: run(reactor, gently=False))


def healthy() -> None:
    task.react(lambda reactor: run(reactor, gently=True))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
