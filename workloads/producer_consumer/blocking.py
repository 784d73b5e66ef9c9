"""Producers and consumers that block: threads, processes and greenlets."""

import time
from collections.abc import Callable
from typing import Any

from concurtrace.workload import Result, Work

from .._models import Job, Model
from .shared import Used, consume_s, produce_s, product, says_when_done, share, told
from .transports import Basket, PipeLine, QueueLine, Shelf, Transport

_TRANSPORTS: dict[str, Callable[[Work, Model], Transport]] = {
    "queue": QueueLine,
    "event": Basket,
    "condition": Shelf,
    "pipe": PipeLine,
}


def trade(work: Work, model: Model) -> Result:
    """Let producers and consumers work at the same time, with the variant's transport between."""
    line = _TRANSPORTS[work.variant](work, model)
    producers = work.number("producers")
    # One consumer is enough to lose products, and the only one who can't make good for another.
    consumers = 1 if work.fault == "event-clear" else work.number("consumers")
    jobs: list[Job] = [(produce, (work, number, line)) for number in range(producers)]
    jobs += [(consume, (work, line)) for _ in range(consumers)]
    return told(model.run(jobs, "party")[producers:])


def produce(work: Work, number: int, line: Any) -> None:
    """Make products and pass them on: what a producer does."""
    for index in share(work, number):
        time.sleep(produce_s(work))
        line.put((index, product(work.seed, index)))
    if says_when_done(work):
        line.close()


def consume(work: Work, line: Any) -> Used:
    """Use products until there will be no more: what a consumer does."""
    used: Used = []
    for one in line.take():
        time.sleep(consume_s(work))
        used.append(one)
    return used
