"""Every item a generator of its own at once, and a fixed number of them."""

import sys
from collections.abc import Generator
from typing import Any

from twisted.internet import defer, task

WITH = "states,tasks"
ITEMS = 2_000


@defer.inlineCallbacks
def handle(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(6):
        sum(range(1_500))
        yield task.deferLater(reactor, 0.01)


@defer.inlineCallbacks
def all_at_once(reactor: Any) -> Generator[Any, Any, None]:
    yield task.deferLater(reactor, 0)
    yield defer.gatherResults([handle(reactor) for _ in range(ITEMS)])


@defer.inlineCallbacks
def worker(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(5):
        yield handle(reactor)


def trigger() -> None:
    task.react(all_at_once)


def healthy() -> None:
    task.react(lambda reactor: defer.gatherResults([worker(reactor) for _ in range(20)]))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
