"""Producers and consumers: some make what others use, and something between them keeps the balance.

Producers make products, each in its own time, and consumers use them, in theirs. Between them is a
queue of limited length, or a channel in the models of CSP; a list and an event; a list and a
condition; or a pipe. The products are the same whatever is between, whoever made or used them.

What to look for in the report: the slower side. Consumers that wait for something to come are
starved; producers that wait for a place are held back, as they should be, or they would fill the
memory. Which it is depends on `produce-us`, `consume-us` and how many there are of each. See the
length of the queue over time, too, and compare the price of passing a product on in each model.

The faults: `event-clear` takes one product per event and clears the event after that: whatever came
in between is never noticed. `unbounded` takes away the limit of the queue. `no-sentinel` says
nothing when the last product has been made, and the consumers wait for the next.
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
from . import blocking
from .shared import product

WORKLOAD = Workload(
    lessons=("A14", "B11", "B12", "B17", "B20"),
    default_mode="threads",
    parameters=(
        Parameter("size", 500, "products", 8, 1_000_000, presets={"tiny": 24, "large": 5000}),
        Parameter("producers", 2, "how many make products", 1, 64),
        Parameter("consumers", 3, "how many use products", 1, 64, presets={"tiny": 2}),
        Parameter(
            "produce-us",
            2000,
            "how long making one takes, in microseconds",
            0,
            10_000_000,
            presets={"tiny": 500},
        ),
        Parameter(
            "consume-us",
            6000,
            "how long using one takes, in microseconds",
            0,
            10_000_000,
            presets={"tiny": 500},
        ),
        Parameter(
            "maxsize",
            20,
            "how many products may wait (not in a pipe, nor with an event)",
            1,
            100_000,
        ),
        START_METHOD,
    ),
    variants=(
        Variant("queue", "a queue of limited length, or a channel"),
        Variant(
            "event", "a list, and an event that says that something is in it", modes=("threads",)
        ),
        Variant(
            "condition",
            "a list, and conditions that it is not empty, or not full",
            modes=("threads",),
        ),
        Variant("pipe", "a pipe with a lock at each end", modes=("processes",)),
    ),
    faults=(
        Fault(
            "event-clear",
            "the event is cleared after one product was taken",
            FaultOutcome.WRONG_RESULT,
            modes=("threads",),
            variant="event",
        ),
        Fault(
            "unbounded",
            "any number of products may wait",
            FaultOutcome.COST,
            modes=("threads", "processes", "async", "gevent"),
            variant="queue",
        ),
        Fault(
            "no-sentinel",
            "nobody says that this was the last product",
            FaultOutcome.HANG,
            modes=("threads", "processes", "async", "csp", "csp-aio"),
            variant="queue",
        ),
    ),
    expects={
        "threads/queue": ("queue-back-pressure",),
        "threads/condition": ("queue-back-pressure",),
        "processes/queue": ("queue-back-pressure",),
        # pycsp tells all who wait at a channel, and makes a thread for each wait of a greenlet.
        "csp": ("thundering-herd",),
        "csp-greenlets": ("thread-churn",),
    },
)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads with a queue, an event or a condition between them."""
    return blocking.trade(work, THREADS)


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Processes with a queue or a pipe between them."""
    return blocking.trade(work, PROCESSES)


@WORKLOAD.mode(imports=("asyncio", f"{__name__}.in_tasks"))
def async_(work: Work) -> Result:
    """Tasks of one event loop with a queue between them."""
    import asyncio

    from .in_tasks import trade

    return asyncio.run(trade(work))


@WORKLOAD.mode(imports=("gevent",), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """Greenlets with a queue on gevent's locks between them."""
    return blocking.trade(work, GREENLETS)


@WORKLOAD.mode(imports=("pycsp.parallel", f"{__name__}.in_csp"), extra="csp")
def csp(work: Work) -> Result:
    """Processes of CSP that are threads, with a buffered channel between them."""
    from .._csp import parallel
    from .in_csp import trade

    with parallel() as channels:
        return trade(work, channels)


@WORKLOAD.mode(imports=("pycsp.greenlets", f"{__name__}.in_csp"), extra="csp")
def csp_greenlets(work: Work) -> Result:
    """Processes of CSP that are greenlets, with a buffered channel between them."""
    import pycsp.greenlets

    from .in_csp import trade

    return trade(work, pycsp.greenlets)


@WORKLOAD.mode(imports=("aiochan", f"{__name__}.in_aiochan"), extra="csp")
def csp_aio(work: Work) -> Result:
    """Tasks of one event loop, with a buffered channel between them."""
    import asyncio

    from .in_aiochan import trade

    return asyncio.run(trade(work))


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say which products there are."""
    records: list[Record] = [(index, product(work.seed, index)) for index in range(work.size)]
    return Result(records)
