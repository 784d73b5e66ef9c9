"""Queues: the safest way for workers to talk, in every order, and what happens at both ends.

Publishers put items in, subscribers take them out and handle them. The variants: first in, first
out (`fifo`), last in, first out (`lifo`), or by `priority`, with two sets of items; subscribers
that find the queue `empty` because publishers are slow, publishers that find it `full` because
subscribers are; a queue that is filled first and then taken from until it is empty (`drain`); and
one whose publishers wait until every item has been handled (`join`).

What to look for in the report: who waits for whom. In `full` the publishers wait in `put`, which is
as it should be: the queue tells them to slow down. In `empty` the subscribers wait in `get`. Either
names the slower side, and more of the other brings nothing. The faults: `unbounded` takes the limit
of the queue away, so that it grows and grows instead; `empty-then-get` asks whether there is
something and then takes it, which somebody else has done in between; `no-task-done` never says that
an item was handled, so that `join` waits for ever; `priority-tie` has two items of the same
priority, which are then compared themselves, and can't be. (gevent knows when nobody can ever go
on, and raises LoopExit instead of hanging, so it has no part in the two that hang. A queue of
multiprocessing can't be asked reliably whether it is empty, so `drain` is not for processes.)
"""

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

from .._models import GEVENT, GREENLETS, PROCESSES, THREADS
from . import alone, blocking
from .shared import token

_ONE_PROCESS = ("threads", "async", "gevent", "sequential")

WORKLOAD = Workload(
    lessons=("A17", "A18", "A33", "A37", "A40", "B4", "B12", "B19", "B20"),
    default_mode="threads",
    parameters=(
        Parameter("size", 800, "items", 11, 1_000_000, presets={"tiny": 30, "large": 8000}),
        Parameter("publishers", 2, "how many put items in", 1, 64),
        Parameter("subscribers", 3, "how many take items out", 1, 64, presets={"tiny": 2}),
        Parameter("maxsize", 10, "how many items the queue takes (variant full)", 1, 100_000),
        Parameter(
            "item-us",
            3000,
            "how long the slower side takes for an item, in microseconds",
            0,
            10_000_000,
            presets={"tiny": 500},
        ),
        START_METHOD,
    ),
    variants=(
        Variant("fifo", "first in, first out"),
        Variant("lifo", "last in, first out", modes=_ONE_PROCESS),
        Variant("priority", "the most urgent first", modes=_ONE_PROCESS),
        Variant("full", "publishers have to wait for a place"),
        Variant("empty", "subscribers have to wait for an item"),
        Variant("drain", "filled first, then emptied", modes=_ONE_PROCESS),
        Variant("join", "publishers wait until all is handled"),
    ),
    faults=(
        Fault(
            "empty-then-get",
            "what was there is gone when it is taken",
            FaultOutcome.HANG,
            modes=("threads", "async"),
            variant="drain",
        ),
        Fault(
            "unbounded",
            "the queue takes as many items as come",
            FaultOutcome.COST,
            modes=("threads", "processes", "async", "gevent"),
            variant="full",
        ),
        Fault(
            "no-task-done",
            "nobody says that an item was handled",
            FaultOutcome.HANG,
            modes=("threads", "processes", "async"),
            variant="join",
        ),
        Fault(
            "priority-tie",
            "items of the same priority can't be compared",
            FaultOutcome.EXCEPTION,
            modes=_ONE_PROCESS,
            variant="priority",
        ),
    ),
    expects={
        f"{mode}/{variant}": (rule,)
        for mode in ("threads", "processes")
        for variant, rule in (("full", "queue-back-pressure"), ("empty", "starved-workers"))
    },
)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads, with the queues of ``queue``."""
    return blocking.exchange(work, THREADS)


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Processes, with a ``JoinableQueue``: a pipe, a lock and a thread that feeds it."""
    return blocking.exchange(work, PROCESSES)


@WORKLOAD.mode(imports=("asyncio", f"{__name__}.in_tasks"))
def async_(work: Work) -> Result:
    """Tasks of one event loop, with the queues of ``asyncio``."""
    import asyncio

    from .in_tasks import exchange

    return asyncio.run(exchange(work))


@WORKLOAD.mode(imports=("gevent",), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """Greenlets, with the queues of ``queue`` on gevent's locks."""
    return blocking.exchange(work, GREENLETS)


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One thread that puts in what the queue takes, and takes out what is in it."""
    return alone.exchange(work)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say what comes out when nothing is lost and the order is kept."""
    records: list[Record] = [(index, token(work.seed, index)) for index in range(work.size)]
    return Result([*records, ("in order", 1)])
