"""The variant `array`: memory that is shared, a lock for it, and a common sum."""

from collections.abc import MutableSequence
from typing import Any

import numpy as np

from concurtrace.workload import Result, Work

from .._models import Model
from .numbers import blocks, initial, parts, step, told


def share(work: Work, model: Model, array: Any) -> Result:
    """Let workers go through an array that has a lock.

    ``array`` is a ``multiprocessing.Array`` or what looks like one.
    """
    numbers = np.frombuffer(array.get_obj(), dtype=np.uint64)
    numbers[:] = initial(work)
    total = model.numbers(1)
    # All read the sum before the first writes it: this makes the fault certain, not possible.
    meeting = model.primitives.Barrier(work.workers) if work.fault == "no-lock" else None
    jobs = [(go_through, (work, part, array, total, meeting)) for part in parts(work)]
    model.run(jobs, "worker")
    return told(numbers, total[0])


def go_through(
    work: Work, part: slice, array: Any, total: MutableSequence[int], meeting: Any
) -> None:
    """Work on a part, block by block: what a worker does."""
    numbers = np.frombuffer(array.get_obj(), dtype=np.uint64)
    for block in blocks(work, part):
        if work.fault == "no-lock":
            more = step(numbers[block], work.number("rounds"))
            before = total[0]
            if meeting is not None:
                meeting.wait()
                meeting = None
            total[0] = before + more
            continue
        with array.get_lock():
            total[0] += step(numbers[block], work.number("rounds"))
