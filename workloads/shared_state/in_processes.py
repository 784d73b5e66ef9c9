"""Processes that work on the same numbers."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np

from concurtrace.workload import Result, Work

from .._models import PROCESSES, run_processes
from . import locked
from .numbers import Numbers, blocks, initial, parts, step, told
from .passing import deal_out, work_off


def share(work: Work) -> Result:
    """Share the numbers in the way of the variant."""
    return _VARIANTS[work.variant](work)


def share_memory(work: Work) -> Result:
    """Shared memory: each process finds it by its name, and works on its own part."""
    numbers = initial(work)
    segment = SharedMemory(create=True, size=numbers.nbytes)
    try:
        view: Numbers = np.ndarray(numbers.shape, np.uint64, segment.buf)
        view[:] = numbers
        jobs = [(work_in_place, (work, part, segment.name)) for part in parts(work)]
        sums = run_processes(jobs, "worker")
        result = told(view, sum(sums))
        # The segment can't be closed as long as there is an array that looks into it.
        del view
    finally:
        segment.close()
        if work.fault != "leak":
            segment.unlink()
    left = Path("/dev/shm", segment.name).exists()  # noqa: S108 - where Linux keeps them
    return Result(result.records, {"segment": segment.name, "segments-left": int(left)})


def work_in_place(work: Work, part: slice, name: str) -> int:
    """Work on a part of the shared memory: what a worker does."""
    segment = SharedMemory(name)
    try:
        numbers: Numbers = np.ndarray((work.size,), np.uint64, segment.buf)
        total = step(numbers[part], work.number("rounds"))
        del numbers
    finally:
        segment.close()
    return total


def share_array(work: Work) -> Result:
    """Array: shared memory that has a lock."""
    return locked.share(work, PROCESSES, multiprocessing.Array("Q", work.size))


def send_copies(work: Work) -> Result:
    """Copy: what a pool does with arguments and results."""
    numbers = initial(work)
    pieces = [(numbers[part], work.number("rounds")) for part in parts(work)]
    if work.fault == "plain-list":
        return append_to_plain_list(pieces)
    with multiprocessing.Pool(work.workers) as crew:
        done = crew.starmap(work_on_copy, pieces, chunksize=1)
        crew.close()
        crew.join()
    return told(np.concatenate([piece for piece, _ in done]), sum(total for _, total in done))


def work_on_copy(piece: Numbers, rounds: int) -> tuple[Numbers, int]:
    """Work on what was sent, and send it back: what a worker does."""
    piece = piece.copy()
    total = step(piece, rounds)
    return piece, total


def append_to_plain_list(pieces: list[tuple[Numbers, int]]) -> Result:
    """Let processes append to a list of the parent, and find nothing in it."""
    done: list[tuple[Numbers, int]] = []
    run_processes([(append_result, (done, *piece)) for piece in pieces], "worker")
    everything = [piece for piece, _ in done] or [np.zeros(0, np.uint64)]
    return told(np.concatenate(everything), sum(total for _, total in done))


def append_result(done: list[tuple[Numbers, int]], piece: Numbers, rounds: int) -> None:
    """Append to what is this process's own copy of the list."""
    done.append(work_on_copy(piece, rounds))


def pass_through_queue(work: Work) -> Result:
    """Queue: blocks to the workers, and back."""
    todo: Any = multiprocessing.Queue()
    done: Any = multiprocessing.Queue()
    crew = [
        multiprocessing.Process(target=work_off, args=(work, todo, done), name=f"worker-{number}")
        for number in range(1, work.workers + 1)
    ]
    for process in crew:
        process.start()
    result = deal_out(work, todo, done)
    for process in crew:
        process.join()
    return result


def keep_in_manager(work: Work) -> Result:
    """Manager: blocks in a process of their own, fetched and put back."""
    numbers = initial(work)
    places = [block for part in parts(work) for block in blocks(work, part)]
    each = work.number("blocks")
    with multiprocessing.Manager() as manager:
        kept = manager.list([numbers[block] for block in places])
        jobs = [
            (fetch_and_put_back, (work, kept, range(part * each, (part + 1) * each)))
            for part in range(work.workers)
        ]
        sums = run_processes(jobs, "worker")
        return told(np.concatenate(kept[:]), sum(sums))


def fetch_and_put_back(work: Work, kept: Any, places: range) -> int:
    """Work on blocks that are elsewhere: what a worker does."""
    total = 0
    for place in places:
        # What comes out is a copy: only putting it back changes what is kept.
        block = kept[place]
        total += step(block, work.number("rounds"))
        kept[place] = block
    return total


_VARIANTS: dict[str, Callable[[Work], Result]] = {
    "shared-memory": share_memory,
    "array": share_array,
    "copy": send_copies,
    "queue": pass_through_queue,
    "manager": keep_in_manager,
}
