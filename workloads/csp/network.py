"""What all networks work on: the numbers, the steps, and the adding up."""

import random
from collections.abc import Callable, Iterable, Iterator

from concurtrace.workload import Result, Work

MODULUS = 1_000_003

Step = Callable[[int], int]


def numbers(work: Work) -> Iterator[int]:
    """Make the numbers that are sent."""
    draw = random.Random(work.seed)
    return (draw.randrange(MODULUS) for _ in range(work.size))


def square(number: int) -> int:
    """Take the first step."""
    return number * number


def reduce(number: int) -> int:
    """Take the second."""
    return number % MODULUS


def mark(number: int) -> int:
    """Take the last."""
    return number ^ 0x5A5A


def in_order(number: int) -> int:
    """Take all steps."""
    return mark(reduce(square(number)))


def steps_beside(work: Work) -> list[list[Step]]:
    """Return who stands between the sender and the one that adds up.

    A list of stages; those of one stage read from the same channel and write to the same.
    """
    if work.variant == "two-process":
        return []
    if work.variant == "pipeline":
        return [[square], [reduce], [mark]]
    return [[in_order] * work.workers]


def last_step(work: Work) -> Step:
    """Return what is left to the one that adds up."""
    return in_order if work.variant == "two-process" else int


def adding_up(results: Iterable[int]) -> Result:
    """Add up what arrives."""
    total = count = 0
    for one in results:
        total += one
        count += 1
    return told(total, count)


def told(total: int, count: int) -> Result:
    """Return what is recorded of a sum."""
    return Result([("sum", total), ("messages", count)])
