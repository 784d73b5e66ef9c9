"""Slow calls in Twisted's threads, yielded one after the other, and all together."""

import sys
import time
from collections.abc import Generator
from typing import Any

from twisted.internet import defer, task, threads

WITH = "states,tasks"
CALLS = 5


@defer.inlineCallbacks
def one_by_one(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(CALLS):
        yield threads.deferToThread(time.sleep, 0.4)


@defer.inlineCallbacks
def together(reactor: Any) -> Generator[Any, Any, None]:
    yield defer.gatherResults([threads.deferToThread(time.sleep, 0.1) for _ in range(CALLS)])
    yield task.deferLater(reactor, 0.2)


def trigger() -> None:
    task.react(one_by_one)


def healthy() -> None:
    task.react(together)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
