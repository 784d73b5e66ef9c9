"""Managers: objects that live in a process of their own, and that others use from afar.

A manager is a server process that keeps ordinary objects; the workers have proxies, and each
operation on a proxy is a message to the server and an answer. The variants share a `namespace`
whose sum they add to, a `queue` from which they take work, a `list` that they append to, and a
`dict` of lists that they fill.

What to look for in the report: a round trip per operation, in which the worker waits and the server
works. The server takes one request at a time for each worker, and all of them share its one GIL, so
more workers soon bring no more operations per second. Compare with `shared-state`, where memory is
shared instead. The fault `nested-mutation` appends to a list that a proxy has handed out: it is a
copy, and nobody else will ever see what was appended. It has to be put back.
"""

import multiprocessing
import random
from collections.abc import Iterator, Sequence
from multiprocessing.managers import SyncManager
from typing import Any

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

from ._models import run_processes

WORKLOAD = Workload(
    lessons=("A34", "B17"),
    parameters=(
        Parameter(
            "size", 8000, "items to share", 4, 10_000_000, presets={"tiny": 40, "large": 50_000}
        ),
        Parameter("workers", 3, "processes that share them", 1, 256, presets={"tiny": 2}),
        START_METHOD,
    ),
    variants=(
        Variant("list", "a list that all append to"),
        Variant("dict", "a dict of lists that all fill"),
        Variant("queue", "a queue that all take from"),
        Variant("namespace", "an object with a sum that all add to"),
    ),
    faults=(
        Fault(
            "nested-mutation",
            "a copy is changed, and not put back",
            FaultOutcome.WRONG_RESULT,
            variant="dict",
        ),
    ),
    expects={"processes": ("ipc-overhead",)},
)

DRAWERS = 64
"""How many lists the dict has."""


def token(seed: int, index: int) -> int:
    """Return the number that belongs to an item."""
    return random.Random(f"{seed}:{index}").getrandbits(32)


def share(work: Work, part: int) -> Iterator[tuple[int, int]]:
    """Work on a worker's items."""
    for index in range(part, work.size, work.workers):
        yield index, token(work.seed, index)


def share_list(work: Work, manager: SyncManager) -> Sequence[Record]:
    """Let all append to a list."""
    shared = manager.list()
    run(work, append_all, shared)
    # One round trip for all of it, instead of one for each item.
    return list(shared[:])


def append_all(work: Work, part: int, shared: Any) -> None:
    """Append one item after the other: what a worker does."""
    for item in share(work, part):
        shared.append(item)


def share_dict(work: Work, manager: SyncManager) -> Sequence[Record]:
    """Let all fill the lists in a dict."""
    shared: Any = manager.dict({drawer: [] for drawer in range(DRAWERS)})
    run(work, fill_drawers, shared, manager.Lock())
    return [item for drawer in shared.copy().values() for item in drawer]


def fill_drawers(work: Work, part: int, shared: Any, lock: Any) -> None:
    """Put each item into its drawer: what a worker does."""
    for item in share(work, part):
        drawer = item[0] % DRAWERS
        if work.fault == "nested-mutation":
            shared[drawer].append(item)
            continue
        with lock:
            # What comes out is a copy: only putting it back changes what is in the dict.
            content = shared[drawer]
            content.append(item)
            shared[drawer] = content


def share_queue(work: Work, manager: SyncManager) -> Sequence[Record]:
    """Let all take their work from a queue."""
    todo, done = manager.Queue(), manager.Queue()
    for index in range(work.size):
        todo.put(index)
    for _ in range(work.workers):
        todo.put(None)
    run(work, take_and_give, todo, done)
    return [done.get() for _ in range(work.size)]


def take_and_give(work: Work, _part: int, todo: Any, done: Any) -> None:
    """Take an index and give the item back, until there are no more: what a worker does."""
    while (index := todo.get()) is not None:
        done.put((index, token(work.seed, index)))


def share_namespace(work: Work, manager: SyncManager) -> Sequence[Record]:
    """Let all add to one number."""
    shared: Any = manager.Namespace()
    shared.total = 0
    run(work, add_all, shared, manager.Lock())
    return [("total", shared.total)]


def add_all(work: Work, part: int, shared: Any, lock: Any) -> None:
    """Add one number after the other: what a worker does, in four round trips for each."""
    for _, number in share(work, part):
        with lock:
            shared.total += number


def run(work: Work, function: Any, *shared: Any) -> None:
    """Start the workers and wait for them."""
    jobs = [(function, (work, part, *shared)) for part in range(work.workers)]
    run_processes(jobs, "worker")


WAYS = {
    "list": share_list,
    "dict": share_dict,
    "queue": share_queue,
    "namespace": share_namespace,
}


@WORKLOAD.mode(imports=("multiprocessing.managers",))
def processes(work: Work) -> Result:
    """Start a manager, and let processes share what it keeps."""
    with multiprocessing.Manager() as manager:
        return Result(list(WAYS[work.variant](work, manager)))


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say what all of it must be, without sharing."""
    items: list[Record] = [(index, token(work.seed, index)) for index in range(work.size)]
    if work.variant == "namespace":
        return Result([("total", sum(token(work.seed, index) for index in range(work.size)))])
    return Result(items)
