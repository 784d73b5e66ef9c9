"""Both ends of a queue: what `collections.deque` does at once, a list does step by step.

A deque is appended to and popped from at both ends in the same short time, however long it is. A
list is as fast at its end, but at its beginning every other item has to be moved. In the middle
(`insert`) a deque is no better, and `rotate` moves only what changes its end. The variant `list`
does with a list what `pop` does with a deque. Each of these steps is done while the GIL is held, so
threads may share a deque without a lock, as long as they do not need two steps to be one.

What to look for in the report: the line that takes the time. `popleft()` of a deque is not to be
found; `pop(0)` of a list takes nearly all of it, and more with every item (`--size`). Threads don't
help: there is nothing to wait for. The faults: `list-as-queue` is the list in the place of the
deque, and `mutate-while-iterating` changes a deque while somebody walks along it.
"""

import hashlib
import threading
from array import array
from collections import deque
from collections.abc import Callable, MutableSequence, Sequence
from typing import Any

from concurtrace.workload import (
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

from ._models import run_threads

WORKLOAD = Workload(
    lessons=("A18", "A19"),
    parameters=(
        Parameter(
            "size",
            1_500_000,
            "operations; of those that move every item, a sixteenth",
            32,
            100_000_000,
            presets={"tiny": 3200, "large": 8_000_000},
        ),
        Parameter("workers", 4, "threads that share them", 1, 256, presets={"tiny": 2}),
    ),
    variants=(
        Variant("append", "items are added at both ends"),
        Variant("pop", "items are taken from both ends"),
        Variant("insert", "items are added in the middle"),
        Variant("rotate", "the ends move along the items"),
        Variant("list", "items are taken from both ends of a list"),
    ),
    faults=(
        Fault(
            "mutate-while-iterating",
            "a deque is changed while somebody walks along it",
            FaultOutcome.EXCEPTION,
            variant="append",
        ),
        Fault(
            "list-as-queue", "a list in the place of the deque", FaultOutcome.COST, variant="append"
        ),
    ),
    expects={
        "sequential/list": ("cpu-hotspot",),
        "sequential/insert": ("cpu-hotspot",),
        "threads": ("gil-saturation",),
    },
)

SLOW_SHARE = 16
"""How many times fewer operations there are where each moves all items."""


def item(seed: int, index: int) -> int:
    """Return an item."""
    # Knuth's multiplicative hash; a generator for each would take longer than the operation.
    return (index * 2_654_435_761 + seed) % (1 << 32)


def items(work: Work, count: int) -> list[int]:
    """Return the first items."""
    return [item(work.seed, index) for index in range(count)]


def operations(work: Work) -> int:
    """Return how many operations there are in all."""
    slow = work.variant in ("insert", "list") or work.fault == "list-as-queue"
    return work.size // SLOW_SHARE if slow else work.size


def filled(work: Work) -> MutableSequence[int]:
    """Make the queue, with as much in it as the operations need."""
    if work.variant == "list":
        return items(work, 2 * operations(work))
    if work.fault == "list-as-queue":
        return []
    before = {"pop": 2 * work.size, "rotate": work.size}
    return deque(items(work, before.get(work.variant, 0)))


Steps = Callable[[Any, int, range], None]


def append(queue: "deque[int]", seed: int, indexes: range) -> None:
    """Add at the right and left in turn."""
    for index in indexes:
        if index % 2:
            queue.append(item(seed, index))
        else:
            queue.appendleft(item(seed, index))


def append_to_list(queue: list[int], seed: int, indexes: range) -> None:
    """Do the same to a list: every second item moves all others."""
    for index in indexes:
        if index % 2:
            queue.append(item(seed, index))
        else:
            queue.insert(0, item(seed, index))


def pop(queue: "deque[int]", _seed: int, indexes: range) -> None:
    """Take from the right and left in turn."""
    for index in indexes:
        if index % 2:
            queue.pop()
        else:
            queue.popleft()


def pop_from_list(queue: list[int], _seed: int, indexes: range) -> None:
    """Do the same to a list: every second item moves all others."""
    for index in indexes:
        queue.pop(-1 if index % 2 else 0)


def insert(queue: "deque[int]", seed: int, indexes: range) -> None:
    """Add in the middle."""
    for index in indexes:
        queue.insert(len(queue) // 2, item(seed, index))


def rotate(queue: "deque[int]", _seed: int, indexes: range) -> None:
    """Move the ends to the right and left, mostly to the right."""
    for index in indexes:
        queue.rotate(step(index))


def step(index: int) -> int:
    """Return how far one operation rotates."""
    return index % 7 - 2


STEPS: dict[str, Steps] = {
    "append": append,
    "pop": pop,
    "insert": insert,
    "rotate": rotate,
    "list": pop_from_list,
}


def steps_of(work: Work) -> Steps:
    """Return what is done to the queue."""
    return append_to_list if work.fault == "list-as-queue" else STEPS[work.variant]


def walk_while_changing(queue: MutableSequence[int]) -> None:
    """Go along the queue, and let another thread add to it meanwhile."""
    walking, changed = threading.Event(), threading.Event()

    def change() -> None:
        walking.wait()
        queue.append(0)
        changed.set()

    def walk() -> None:
        for _ in queue:
            walking.set()
            changed.wait()

    run_threads([(walk, ()), (change, ())], "walker")


def content(work: Work, queue: Sequence[int]) -> Result:
    """Say what is in the queue; in which order only where it does not depend on who was first."""
    ordered = work.variant not in ("append", "insert")
    numbers = array("Q", queue if ordered else sorted(queue))
    digest = hashlib.sha256(numbers.tobytes()).hexdigest()
    records: list[Record] = [("items", len(numbers)), ("digest", digest)]
    return Result(records)


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One thread does it all."""
    queue = filled(work)
    steps_of(work)(queue, work.seed, range(operations(work)))
    if work.fault == "mutate-while-iterating":
        for number in queue:
            queue.append(number)
    return content(work, queue)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads share the queue and the operations."""
    queue = filled(work)
    count = operations(work)
    parts = [range(part, count, work.workers) for part in range(work.workers)]
    run_threads([(steps_of(work), (queue, work.seed, part)) for part in parts], "worker")
    if work.fault == "mutate-while-iterating":
        walk_while_changing(queue)
    return content(work, queue)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Work out what has to be left, without any queue: by counting and slicing."""
    count = operations(work)
    rights = count // 2
    if work.variant in ("pop", "list"):
        return content(work, items(work, 2 * count)[count - rights : 2 * count - rights])
    everything = items(work, count)
    if work.variant == "rotate":
        moved = sum(map(step, range(count))) % count
        everything = everything[-moved:] + everything[:-moved]
    return content(work, everything)
