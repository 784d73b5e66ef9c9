"""The variant `queue`: blocks of numbers go to the workers by one queue, and back by another."""

from typing import Any

import numpy as np

from concurtrace.workload import Result, Work

from .numbers import blocks, initial, parts, step, told


def deal_out(work: Work, todo: Any, done: Any) -> Result:
    """Put the blocks into one queue, and take them out of the other: what the parent does."""
    numbers = initial(work)
    places = [block for part in parts(work) for block in blocks(work, part)]
    for place in places:
        todo.put((place, numbers[place]))
    for _ in range(work.workers):
        todo.put(None)
    result, total = np.empty_like(numbers), 0
    for _ in places:
        place, block, more = done.get()
        result[place] = block
        total += more
    return told(result, total)


def work_off(work: Work, todo: Any, done: Any) -> None:
    """Work on what comes, until there is no more: what a worker does."""
    while (one := todo.get()) is not None:
        place, block = one
        block = block.copy()
        more = step(block, work.number("rounds"))
        done.put((place, block, more))
