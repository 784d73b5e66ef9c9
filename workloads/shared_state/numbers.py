"""The numbers: what they are at the start, what is done to them, and who does which."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from concurtrace.workload import Result, Work

Numbers = NDArray[np.uint64]
MULTIPLIER, INCREMENT = np.uint64(1_664_525), np.uint64(1_013_904_223)
"""A linear congruential generator. Source: Numerical Recipes, 2nd edition, section 7.1."""
LOW = np.uint64((1 << 32) - 1)


def initial(work: Work) -> Numbers:
    """Return the numbers at the start: drawn from the seed."""
    drawn = np.random.Generator(np.random.PCG64(work.seed)).integers(1 << 32, size=work.size)
    return drawn.astype(np.uint64)


def step(numbers: Numbers, rounds: int) -> int:
    """Work on some numbers, in place; return what is to be added to the sum."""
    for _ in range(rounds):
        numbers *= MULTIPLIER
        numbers += INCREMENT
        numbers &= LOW
    return int(numbers.sum())


def parts(work: Work) -> list[slice]:
    """Cut the array into a part for each worker."""
    ends = [work.size * part // work.workers for part in range(work.workers + 1)]
    return [slice(*ends[part : part + 2]) for part in range(work.workers)]


def blocks(work: Work, part: slice) -> Iterator[slice]:
    """Cut a part into blocks."""
    length, count = part.stop - part.start, work.number("blocks")
    for block in range(count):
        yield slice(
            part.start + length * block // count, part.start + length * (block + 1) // count
        )


def told(numbers: Numbers, total: int) -> Result:
    """Say what the array holds in the end, in short, and the sum that the workers added up."""
    places = np.arange(1, len(numbers) + 1, dtype=np.uint64)
    return Result([("sum", total), ("by place", int((numbers * places).sum(dtype=np.uint64)))])


def leap(work: Work) -> Result:
    """Say what has to come out: the step is affine, so all rounds in one are one affine step."""
    factor, summand = 1, 0
    for _ in range(work.number("rounds")):
        factor = factor * int(MULTIPLIER) & int(LOW)
        summand = summand * int(MULTIPLIER) + int(INCREMENT) & int(LOW)
    numbers = initial(work) * np.uint64(factor) + np.uint64(summand) & LOW
    return told(numbers, int(numbers.sum()))
