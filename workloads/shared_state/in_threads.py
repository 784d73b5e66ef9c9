"""Threads that work on the same numbers: NumPy lets the GIL go, so they do so at the same time."""

import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from concurtrace.workload import Result, Work

from .._models import THREADS, run_threads
from . import locked
from .numbers import Numbers, initial, parts, step, told
from .passing import deal_out, work_off


def share(work: Work) -> Result:
    """Share the numbers in the way of the variant."""
    return _VARIANTS[work.variant](work)


def share_memory(work: Work) -> Result:
    """Shared memory: nothing has to be done for it."""
    numbers = initial(work)
    jobs = [(step, (numbers[part], work.number("rounds"))) for part in parts(work)]
    return told(numbers, sum(run_threads(jobs, "worker")))


class LockedArray:
    """An array with a lock, as ``multiprocessing.Array`` is one."""

    def __init__(self, size: int) -> None:
        self.numbers = np.zeros(size, np.uint64)
        self.lock = threading.Lock()

    def get_obj(self) -> Numbers:
        """Return the array."""
        return self.numbers

    def get_lock(self) -> threading.Lock:
        """Return the lock."""
        return self.lock


def share_array(work: Work) -> Result:
    """Array: with a lock that nobody would need here but for the sum."""
    return locked.share(work, THREADS, LockedArray(work.size))


def work_on_copies(work: Work) -> Result:
    """Copy: each thread works on a copy of its part, which leaves the original as it was."""
    numbers = initial(work)
    copies = [numbers[part].copy() for part in parts(work)]
    sums = run_threads([(step, (one, work.number("rounds"))) for one in copies], "worker")
    return told(np.concatenate(copies), sum(sums))


def pass_through_queue(work: Work) -> Result:
    """Queue: only references go through it, nothing is copied."""
    todo: queue.Queue[Any] = queue.Queue()
    done: queue.Queue[Any] = queue.Queue()
    crew = [
        threading.Thread(target=work_off, args=(work, todo, done), name=f"worker-{number}")
        for number in range(1, work.workers + 1)
    ]
    for thread in crew:
        thread.start()
    result = deal_out(work, todo, done)
    for thread in crew:
        thread.join()
    return result


_VARIANTS: dict[str, Callable[[Work], Result]] = {
    "shared-memory": share_memory,
    "array": share_array,
    "copy": work_on_copies,
    "queue": pass_through_queue,
}
