"""The networks as threads, with a queue for each channel: the twin to compare with."""

import queue
from typing import Any

from concurtrace.workload import Result, Work

from .._models import THREADS, Job
from .network import Step, last_step, numbers, steps_beside, told

LINE = 1
"""How many messages wait in a queue: next to none, as in a channel."""


def run(work: Work) -> Result:
    """Run a network; after the last number each reader finds a `None`."""
    stages = steps_beside(work)
    readers = [len(stage) for stage in stages] + [1]
    lines: list[Any] = [queue.Queue(LINE) for _ in readers]
    jobs: list[Job] = [(send, (work, lines[0], readers[0]))]
    for number, stage in enumerate(stages):
        jobs += [(pass_on, (step, lines[number], lines[number + 1])) for step in stage]
    writers = len(stages[-1]) if stages else 1
    jobs += [(add_up, (last_step(work), lines[-1], writers))]
    return told(*THREADS.run(jobs, "csp")[-1])


def send(work: Work, put: Any, readers: int) -> None:
    """Send the numbers, and tell every reader that these were all."""
    for number in numbers(work):
        put.put(number)
    if work.fault != "no-retire":
        for _ in range(readers):
            put.put(None)


def pass_on(step: Step, take: Any, put: Any) -> None:
    """Take a step with every number that comes, and hand on the end."""
    while (number := take.get()) is not None:
        put.put(step(number))
    put.put(None)


def add_up(step: Step, take: Any, writers: int) -> tuple[int, int]:
    """Add up what comes, until each of those who write has said that this was all."""
    total = count = 0
    while writers:
        number = take.get()
        if number is None:
            writers -= 1
        else:
            total += step(number)
            count += 1
    return total, count
