"""A delayed call that takes its time, and one that leaves most of it for later."""

import sys
from collections.abc import Generator
from typing import Any

from twisted.internet import defer, task

WITH = "states,tasks"


def work(rounds: int) -> int:
    return sum(number * number for number in range(rounds))


@defer.inlineCallbacks
def tick(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(100):
        yield task.deferLater(reactor, 0.005)


@defer.inlineCallbacks
def calls(reactor: Any, rounds: int, times: int) -> Generator[Any, Any, None]:
    for _ in range(times):
        reactor.callLater(0, work, rounds)
        yield task.deferLater(reactor, 0.02)


def run(reactor: Any, rounds: int, times: int) -> defer.Deferred[Any]:
    return defer.gatherResults([*(tick(reactor) for _ in range(3)), calls(reactor, rounds, times)])


def trigger() -> None:
    task.react(lambda reactor: run(reactor, 3_000_000, 6))


def healthy() -> None:
    task.react(lambda reactor: run(reactor, 3_000, 30))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
