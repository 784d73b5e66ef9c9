"""Producers and consumers that are processes of CSP, in either of pycsp's implementations."""

import time
from types import ModuleType
from typing import Any

from concurtrace.workload import Result, Work

from .shared import Used, consume_s, limit, produce_s, product, says_when_done, share, told


def trade(work: Work, csp: ModuleType) -> Result:
    """Run all at the same time; ``csp`` is ``pycsp.parallel`` or ``pycsp.greenlets``."""
    line = csp.Channel(buffer=limit(work))
    producers, consumers = work.number("producers"), work.number("consumers")
    network = [
        csp.process(produce)(csp, work, number, line.writer()) for number in range(producers)
    ]
    network += [csp.process(consume)(csp, work, line.reader()) for _ in range(consumers)]
    return told(csp.Parallel(*network)[producers:])


def produce(csp: ModuleType, work: Work, number: int, put: Any) -> None:
    """Make products and pass them on: what a producer does."""
    pause = csp.io(time.sleep)
    for index in share(work, number):
        pause(produce_s(work))
        put((index, product(work.seed, index)))
    if says_when_done(work):
        # The channel is retired when all its writers have retired.
        csp.retire(put)


def consume(csp: ModuleType, work: Work, take: Any) -> Used:
    """Use products until the channel is retired: what a consumer does."""
    pause = csp.io(time.sleep)
    used: Used = []
    while True:
        try:
            one = take()
        except csp.ChannelRetireException:
            return used
        pause(consume_s(work))
        used.append(one)
