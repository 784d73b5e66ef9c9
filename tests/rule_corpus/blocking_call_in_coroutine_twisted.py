"""A driver that waits without Twisted's knowledge, called in the reactor and in its threads."""

import sys
import time
from collections.abc import Generator
from typing import Any

from twisted.internet import defer, task, threads

WITH = "states,tasks"


def query() -> None:
    time.sleep(0.03)


@defer.inlineCallbacks
def tick(reactor: Any, times: int) -> Generator[Any, Any, None]:
    for _ in range(times):
        yield task.deferLater(reactor, 0.005)


@defer.inlineCallbacks
def blocking(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(15):
        query()
        yield task.deferLater(reactor, 0.01)


@defer.inlineCallbacks
def in_threads(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(15):
        yield defer.gatherResults([threads.deferToThread(query) for _ in range(4)])
        yield task.deferLater(reactor, 0.01)


def trigger() -> None:
    task.react(lambda reactor: defer.gatherResults([blocking(reactor), *ticks(reactor)]))


def healthy() -> None:
    task.react(lambda reactor: defer.gatherResults([in_threads(reactor), *ticks(reactor)]))


def ticks(reactor: Any) -> list[defer.Deferred[None]]:
    return [tick(reactor, 60) for _ in range(3)]


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
