"""Computing in the reactor, and in a process beside it."""

import sys
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from twisted.internet import defer, task

WITH = "states,tasks"


def compute() -> int:
    return sum(number * number for number in range(2_500_000))


@defer.inlineCallbacks
def tick(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(60):
        yield task.deferLater(reactor, 0.005)


@defer.inlineCallbacks
def parse(reactor: Any) -> Generator[Any, Any, None]:
    for _ in range(6):
        compute()
        yield task.deferLater(reactor, 0.01)


@defer.inlineCallbacks
def elsewhere(reactor: Any) -> Generator[Any, Any, None]:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        results = [pool.submit(compute) for _ in range(6)]
        while not all(one.done() for one in results):
            yield task.deferLater(reactor, 0.02)


def trigger() -> None:
    task.react(lambda reactor: defer.gatherResults([parse(reactor), tick(reactor), tick(reactor)]))


def healthy() -> None:
    task.react(elsewhere)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
