"""Every way to synchronise: what it is for, what it costs, and what goes wrong with it.

A few workers share something, in eight variants: `join` waits for their end; `lock` lets one at a
time add to a sum; `rlock` lets the one who has it take it again, in methods that call each other;
`semaphore` lets one ticket seller at a time to the counter; `bounded` lets in a few, and never
more; `condition` hands items from a publisher to subscribers who wait for one; `event` lets all
begin at the same time; `barrier` lets none begin the next phase before all have ended this one.
Threads and processes have the same primitives under the same names, gevent puts its own into the
place of the threads', and asyncio has some of them again, to be awaited.

What to look for in the report: per lock how long it was held, how long it was waited for, and by
whom. `lock` is held while something is waited for (`hold-us`), so nothing else gets done; `barrier`
has parties that differ, and all wait for the slowest; `event` has workers that wait and do nothing.
See who sells the tickets, too: threads and greenlets that come back at once to the counter they
have just left find it free, and the others never have a turn; processes and tasks share them more
fairly.

The faults: `lock-reentry` uses a Lock where an RLock is needed; `two-permits` a semaphore of two
where one is needed, and tickets are sold twice; `over-release` gives back what was not taken;
`lost-notify` notifies when nobody waits yet; `missing-party` expects one more at the barrier than
will come; `poll` asks again and again whether the event has happened. (gevent knows when nobody can
ever go on, and raises LoopExit instead of hanging, so it is left out of the first and the fourth.)
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
from .shared import PHASES, token

WORKLOAD = Workload(
    lessons=("A13", "A14", "A15", "A37", "A40", "B6", "B9", "B10", "B16", "B19"),
    default_mode="threads",
    parameters=(
        Parameter(
            "size", 200, "items, or tickets", 10, 100_000, presets={"tiny": 20, "large": 2000}
        ),
        Parameter("workers", 4, "how many share the work", 2, 256, presets={"tiny": 2}),
        Parameter(
            "hold-us",
            5000,
            "how long an item takes, in microseconds",
            0,
            1_000_000,
            presets={"tiny": 500},
        ),
        START_METHOD,
    ),
    variants=(
        Variant("lock", "one at a time may add to a sum"),
        Variant("join", "the end of the workers is waited for"),
        Variant(
            "rlock",
            "methods that hold the lock call each other",
            modes=("threads", "processes", "gevent"),
        ),
        Variant("semaphore", "one ticket seller at a time"),
        Variant("bounded", "two at a time, and never more"),
        Variant("condition", "items are waited for, and for the place to put them"),
        Variant("event", "all begin when one says so"),
        Variant("barrier", "all are done with a phase before the next begins"),
    ),
    faults=(
        Fault(
            "lock-reentry",
            "a Lock is taken again by the one who holds it",
            FaultOutcome.HANG,
            modes=("threads", "processes"),
            variant="rlock",
        ),
        Fault(
            "two-permits",
            "two ticket sellers at the counter",
            FaultOutcome.WRONG_RESULT,
            variant="semaphore",
        ),
        Fault(
            "over-release",
            "a permit is given back that was not taken",
            FaultOutcome.EXCEPTION,
            variant="bounded",
        ),
        Fault(
            "lost-notify",
            "the notification comes before the wait",
            FaultOutcome.HANG,
            modes=("threads", "processes", "async"),
            variant="condition",
        ),
        Fault(
            "missing-party",
            "one fewer comes to the barrier than it waits for",
            FaultOutcome.EXCEPTION,
            variant="barrier",
        ),
        Fault("poll", "the event is asked for in a loop", FaultOutcome.COST, variant="event"),
    ),
    expects={
        f"{mode}/{variant}": (rule,)
        for mode in ("threads", "processes")
        for variant, rule in (
            ("lock", "lock-contention"),
            ("rlock", "lock-contention"),
            ("semaphore", "lock-contention"),
            ("barrier", "load-imbalance"),
        )
    },
)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads, with the primitives of ``threading``."""
    return blocking.synchronise(work, THREADS)


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Processes, with the primitives of ``multiprocessing`` and memory that is shared."""
    return blocking.synchronise(work, PROCESSES)


@WORKLOAD.mode(imports=("asyncio", f"{__name__}.in_tasks"))
def async_(work: Work) -> Result:
    """Tasks of one event loop, with the primitives of ``asyncio``."""
    import asyncio

    from .in_tasks import synchronise

    return asyncio.run(synchronise(work))


@WORKLOAD.mode(imports=("gevent",), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """Greenlets, with the primitives of ``threading`` in gevent's place."""
    return blocking.synchronise(work, GREENLETS)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say what comes out when all goes well: no more than adding up and counting."""
    indexes = range(work.size)
    total = sum(token(work.seed, index) for index in indexes)
    items: list[Record] = [(index, token(work.seed, index)) for index in indexes]
    match work.variant:
        case "lock":
            return Result([("total", total)])
        case "rlock":
            return Result([("a", total), ("b", total)])
        case "semaphore":
            return Result([("ticket", index + 1) for index in indexes])
        case "bounded":
            return Result([*items, ("limit kept", 1)])
        case "barrier":
            return Result(
                [
                    (phase, sum(token(work.seed, index) for index in indexes[phase::PHASES]))
                    for phase in range(PHASES)
                ]
            )
    return Result(items)
