"""Pools: the many ways to give work to workers that stay, and what the work costs on its way.

Each task counts the steps of Collatz' sequence for some numbers. A pool of processes takes tasks
one at a time (`submit`, `apply`), as a list that it cuts into chunks (`map`, `starmap`, `async`),
or as a stream (`imap`, `imap-unordered`); it can prepare its workers (`initializer`) and replace
them after some tasks (`maxtasks`). `pool-threads` has the same interface, with threads in the place
of processes; `sequential` is what all of it has to be better than.

What to look for in the report: the cores used, by processes and by threads, and how much of the
workers' time goes into receiving tasks and sending results. With `chunksize=1` and small tasks
(`task-numbers=1`) there is more carrying than computing: that is the fault `tiny-chunks`. The
variant `maxtasks` shows what starting workers costs. The other faults: `pool-per-call` makes a pool
for every batch; `lambda` sends a function that has no name to be found by, which can't be pickled;
`no-close` leaves the workers behind; `oversubscription` starts many more than there are cores;
`shared-pool-in-child` hands the pool itself to a task, which can't be.
"""

import contextlib
import itertools
import multiprocessing
import multiprocessing.pool
import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.pool import Pool, ThreadPool
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

Task = tuple[int, int, int]
"""The seed, the first index and how many numbers."""

WORKLOAD = Workload(
    lessons=("A32", "B17", "B19", "B23", "B24"),
    default_mode="pool",
    parameters=(
        Parameter("size", 1200, "tasks", 1, 1_000_000, presets={"tiny": 24, "large": 20_000}),
        Parameter("workers", 4, "processes or threads of the pool", 1, 256, presets={"tiny": 2}),
        Parameter("task-numbers", 60, "numbers in each task", 1, 1_000_000, presets={"tiny": 2}),
        Parameter("chunksize", 25, "tasks that travel together", 1, 1_000_000, presets={"tiny": 3}),
        Parameter(
            "maxtasksperchild",
            4,
            "chunks after which a worker is replaced (variant maxtasks)",
            1,
            1_000_000,
        ),
        START_METHOD,
    ),
    variants=(
        Variant("map", "a list in, a list out, cut into chunks"),
        Variant("submit", "each task brought in a loop, results asked for afterwards"),
        Variant("apply", "each task brought and waited for"),
        Variant("imap", "a stream of results in the order of the tasks"),
        Variant("imap-unordered", "a stream of results as they come"),
        Variant("starmap", "tasks unpacked into arguments"),
        Variant("async", "a list whose results are asked for later"),
        Variant("maxtasks", "workers are replaced after some chunks"),
        Variant("initializer", "each worker prepares itself once"),
    ),
    faults=(
        Fault(
            "pool-per-call",
            "a new pool for every batch of tasks",
            FaultOutcome.COST,
            modes=("pool", "pool-threads"),
            variant="map",
        ),
        Fault(
            "lambda",
            "the function that the tasks are given to can't be pickled",
            FaultOutcome.EXCEPTION,
            modes=("pool",),
            variant="map",
        ),
        Fault(
            "no-close",
            "nobody tells the workers that nothing more will come",
            FaultOutcome.COST,
            modes=("pool", "pool-threads"),
        ),
        Fault(
            "tiny-chunks",
            "each number is a task, and travels alone",
            FaultOutcome.COST,
            modes=("pool", "pool-threads"),
            variant="map",
        ),
        Fault(
            "oversubscription",
            "sixteen workers for each core",
            FaultOutcome.COST,
            modes=("pool", "pool-threads"),
        ),
        Fault(
            "shared-pool-in-child",
            "the pool is sent to a worker of its own",
            FaultOutcome.EXCEPTION,
            modes=("pool",),
        ),
    ),
    expects={
        "pool-threads": ("gil-saturation",),
        "pool/maxtasks": ("spawn-cost",),
    },
)

BATCHES = 5
"""For how many batches of tasks the fault `pool-per-call` makes a pool."""
forgotten: list[Pool] = []
"""What keeps the pool of the fault `no-close` from being collected."""
prepared = threading.local()
"""What a worker of the variant `initializer` has prepared for itself: its process's, or thread's,
own seed."""


def number(seed: int, index: int) -> int:
    """Return a number to count the steps of."""
    return random.Random(f"{seed}:{index}").randrange(1, 1 << 20)


def steps(start: int) -> int:
    """Count the steps of Collatz' sequence from a number down to 1."""
    count = 0
    while start != 1:
        start = start // 2 if start % 2 == 0 else 3 * start + 1
        count += 1
    return count


def solve(task: Task) -> list[Record]:
    """Do one task."""
    return solve_apart(*task)


def solve_apart(seed: int, begin: int, count: int) -> list[Record]:
    """Do one task that comes as arguments of its own."""
    return [(index, steps(number(seed, index))) for index in range(begin, begin + count)]


def prepare(seed: int) -> None:
    """Keep what all tasks need, so that it is not sent with each."""
    prepared.seed = seed


def solve_prepared(task: tuple[int, int]) -> list[Record]:
    """Do one task with what this worker has kept."""
    return solve_apart(prepared.seed, *task)


def tasks(work: Work) -> list[Task]:
    """Deal the numbers out; the same ones, however many there are to a task."""
    each, total = work.number("task-numbers"), work.size * work.number("task-numbers")
    if work.fault == "tiny-chunks":
        each = 1
    return [(work.seed, begin, each) for begin in range(0, total, each)]


def flat(parts: Iterable[list[Record]]) -> Result:
    """Put the results of the tasks together."""
    return Result([record for part in parts for record in part])


@WORKLOAD.mode(imports=("multiprocessing.pool",))
def pool(work: Work) -> Result:
    """A pool of processes."""
    return use(multiprocessing.Pool, work)


@WORKLOAD.mode(imports=("multiprocessing.pool",))
def pool_threads(work: Work) -> Result:
    """A pool of threads."""
    return use(ThreadPool, work)


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One task after the other."""
    return flat(map(solve, tasks(work)))


@contextlib.contextmanager
def opened(make: Callable[..., Pool], work: Work) -> Iterator[Pool]:
    """Make a pool, and see its workers off at the end, unless that is the fault."""
    options: dict[str, Any] = {}
    if work.variant == "initializer":
        options = {"initializer": prepare, "initargs": (work.seed,)}
    # A thread can't be replaced, nor need it be: it leaves nothing behind that its end would free.
    if work.variant == "maxtasks" and make is multiprocessing.Pool:
        options = {"maxtasksperchild": work.number("maxtasksperchild")}
    crowded = work.fault == "oversubscription"
    workers = 16 * len(os.sched_getaffinity(0)) if crowded else work.workers
    crew = make(workers, **options)
    if work.fault == "no-close":
        forgotten.append(crew)
        yield crew
        return
    with crew:
        yield crew
        crew.close()
        crew.join()


def use(make: Callable[..., Pool], work: Work) -> Result:
    """Make a pool and let it do the work in the way of the variant."""
    if work.fault == "pool-per-call":
        return use_many(make, work)
    with opened(make, work) as crew:
        if work.fault == "shared-pool-in-child":
            crew.apply(apply_inside, (crew, tasks(work)[0]))
        if work.fault == "lambda":
            return flat(crew.map(lambda task: solve_apart(*task), tasks(work)))
        result = flat(WAYS[work.variant](crew, work))
    return Result(result.records, {"workers-left": workers_left()})


def use_many(make: Callable[..., Pool], work: Work) -> Result:
    """Make a pool for every batch of tasks."""
    everything = tasks(work)
    records: list[Record] = []
    for batch in range(BATCHES):
        with opened(make, work) as crew:
            chunksize = work.number("chunksize")
            records += flat(crew.map(solve, everything[batch::BATCHES], chunksize)).records
    return Result(records, {"workers-left": workers_left()})


def workers_left() -> int:
    """Count the processes, and threads that a pool started, which are still there."""
    names = [thread.name for thread in threading.enumerate()]
    return len(multiprocessing.active_children()) + sum("(worker)" in name for name in names)


def apply_inside(crew: Pool, task: Task) -> list[Record]:
    """Give a task to the pool that one belongs to."""
    return crew.apply(solve, (task,))


Way = Callable[[Pool, Work], Iterable[list[Record]]]


def by_submit(crew: Pool, work: Work) -> Iterable[list[Record]]:
    """Bring each task in a loop, then ask for each result."""
    promised = [crew.apply_async(solve, (task,)) for task in tasks(work)]
    return [one.get() for one in promised]


def by_apply(crew: Pool, work: Work) -> Iterable[list[Record]]:
    """Bring each task and wait for it: one worker at a time has something to do."""
    return [crew.apply(solve, (task,)) for task in tasks(work)]


def by_map(crew: Pool, work: Work) -> Iterable[list[Record]]:
    """Bring them all at once."""
    chunksize = 1 if work.fault == "tiny-chunks" else work.number("chunksize")
    return crew.map(solve, tasks(work), chunksize)


def by_imap(crew: Pool, work: Work) -> Iterable[list[Record]]:
    """Take the results in the order of the tasks, while the pool is at work."""
    return list(crew.imap(solve, tasks(work), work.number("chunksize")))


def by_imap_unordered(crew: Pool, work: Work) -> Iterable[list[Record]]:
    """Take the results as they come."""
    return list(crew.imap_unordered(solve, tasks(work), work.number("chunksize")))


def by_starmap(crew: Pool, work: Work) -> Iterable[list[Record]]:
    """Unpack each task into the arguments of a function."""
    return crew.starmap(solve_apart, tasks(work), work.number("chunksize"))


def by_map_async(crew: Pool, work: Work) -> Iterable[list[Record]]:
    """Bring them all, have time for something else, and ask for the results later."""
    return crew.map_async(solve, tasks(work), work.number("chunksize")).get()


def by_initializer(crew: Pool, work: Work) -> Iterable[list[Record]]:
    """Send only what differs: the rest is there already."""
    rest = [(begin, count) for _, begin, count in tasks(work)]
    return crew.map(solve_prepared, rest, work.number("chunksize"))


WAYS: dict[str, Way] = {
    "map": by_map,
    "submit": by_submit,
    "apply": by_apply,
    "imap": by_imap,
    "imap-unordered": by_imap_unordered,
    "starmap": by_starmap,
    "async": by_map_async,
    "maxtasks": by_map,
    "initializer": by_initializer,
}


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Count by a table of steps that grows with every sequence, instead of walking each."""
    known = {1: 0}
    records: list[Record] = []
    for index in range(work.size * work.number("task-numbers")):
        start = number(work.seed, index)
        path = []
        current = start
        while current not in known:
            path.append(current)
            current = current // 2 if current % 2 == 0 else 3 * current + 1
        known |= zip(reversed(path), itertools.count(known[current] + 1))
        records.append((index, known[start]))
    return Result(records)
