"""Reactive streams: readings flow through operators, on whatever a scheduler runs them.

Sensors send readings; from each reading that can be understood, a chain of operators makes another
number; these are put into groups, and every group is counted and added up. Written for streams,
this is one expression, which says nothing of threads: where it runs is a matter of the scheduler.
`reactive` gives every sensor's stream to a pool of threads, `async` to an event loop; `sequential`
is a loop without any stream.

What to look for in the report: what the operators cost beside `sequential`, in calls; that a pool
of threads does not help what computes: they wait for the GIL. A scheduler pays for streams that
wait. The fault `no-on-error` has a reading that can't be understood raise an error, and nobody
subscribed to errors: the stream of that sensor ends, and so does the whole, with what is there.
"""

import asyncio
import random
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from concurtrace.workload import (
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Work,
    Workload,
)

if TYPE_CHECKING:
    from reactivex import Observable
    from reactivex.abc import SchedulerBase

WORKLOAD = Workload(
    lessons=("A36", "B18", "D.2"),
    default_mode="reactive",
    parameters=(
        Parameter(
            "size", 400_000, "readings", 1, 10_000_000, presets={"tiny": 60, "large": 4_000_000}
        ),
        Parameter("sensors", 8, "who send them", 1, 1000, presets={"tiny": 3}),
        Parameter("operators", 6, "in the chain that each reading goes through", 0, 1000),
        Parameter("workers", 4, "threads of the pool", 1, 256, presets={"tiny": 2}),
    ),
    faults=(
        Fault(
            "no-on-error",
            "a reading raises an error that nobody asked to be told of, and ends the stream",
            FaultOutcome.WRONG_RESULT,
            modes=("reactive", "async"),
        ),
    ),
    # One loop does all the computing: right here, and what the rule is about.
    expects={"reactive": ("gil-saturation",), "async": ("cpu-bound-coroutine",)},
)

MODULUS = 1_000_003
GROUPS = 5
UNREADABLE = "?"
ONE_IN = 50
"""Of how many readings one is unreadable."""

Row = tuple[int, int, int, int]
"""A sensor, one of its groups, how many readings are in it, and their sum."""


def reading(work: Work, index: int) -> str:
    """Return what a sensor sent; the first reading of all is unreadable."""
    if index % ONE_IN == 0:
        return UNREADABLE
    # Knuth's multiplicative hash; a generator for each would take longer than all operators.
    return str((index * 2_654_435_761 + work.seed * 40_503 >> 8) % MODULUS)


def readings(work: Work, sensor: int) -> list[str]:
    """Return all that a sensor sends."""
    return [reading(work, index) for index in range(sensor, work.size, work.number("sensors"))]


def coefficients(work: Work, place: int) -> tuple[int, int]:
    """Return what an operator multiplies with, and what it adds."""
    dice = random.Random(f"{work.seed}:operator:{place}")
    return dice.randrange(1, MODULUS), dice.randrange(MODULUS)


def chain(work: Work) -> list[Callable[[int], int]]:
    """Make the functions of all operators."""
    return [operator(*coefficients(work, place)) for place in range(work.number("operators"))]


def operator(factor: int, offset: int) -> Callable[[int], int]:
    """Make the function of one operator."""
    return lambda number: (number * factor + offset) % MODULUS


def understand(text: str) -> int | None:
    """Read a number; None where there is none to read."""
    return None if text == UNREADABLE else int(text)


def group(number: int) -> int:
    """Tell which group a number belongs to."""
    return number % GROUPS


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One reading after the other, in a loop."""
    functions = chain(work)
    rows: list[Row] = []
    for sensor in range(work.number("sensors")):
        groups: defaultdict[int, list[int]] = defaultdict(list)
        for text in readings(work, sensor):
            number = understand(text)
            if number is None:
                continue
            for function in functions:
                number = function(number)
            groups[group(number)].append(number)
        rows += [(sensor, key, len(members), sum(members)) for key, members in groups.items()]
    return Result(list[Record](rows))


@WORKLOAD.mode(imports=("reactivex.operators", "reactivex.scheduler"), extra="reactive")
def reactive(work: Work) -> Result:
    """Every sensor's stream on a pool of threads."""
    from reactivex.scheduler import ThreadPoolScheduler

    scheduler = ThreadPoolScheduler(work.workers)
    ended = threading.Event()
    with scheduler.executor:
        subscription = Subscription(work, scheduler, ended.set)
        ended.wait()
    return subscription.result()


@WORKLOAD.mode(
    imports=("asyncio", "reactivex.operators", "reactivex.scheduler.eventloop"), extra="reactive"
)
def async_(work: Work) -> Result:
    """Every sensor's stream on an event loop."""
    return asyncio.run(subscribe_soon(work))


async def subscribe_soon(work: Work) -> Result:
    """Subscribe, and wait until the streams have ended."""
    from reactivex.scheduler.eventloop import AsyncIOScheduler

    ended = asyncio.Event()
    subscription = Subscription(work, AsyncIOScheduler(asyncio.get_running_loop()), ended.set)
    await ended.wait()
    return subscription.result()


class Subscription:
    """Takes the rows that come out of the streams.

    ``end`` is called once when nothing more will come, whatever the reason.
    """

    def __init__(self, work: Work, scheduler: "SchedulerBase", end: Callable[[], None]) -> None:
        from reactivex import operators as ops

        self.rows: list[Row] = []
        self.errors: list[Exception] = []
        rows = all_streams(work, scheduler).pipe(ops.finally_action(end))
        if work.fault == "no-on-error":
            rows.subscribe(on_next=self.rows.append)
        else:
            rows.subscribe(on_next=self.rows.append, on_error=self.errors.append)

    def result(self) -> Result:
        """Return what came; raise what went wrong."""
        if self.errors:
            raise self.errors[0]
        return Result(list[Record](self.rows))


def all_streams(work: Work, scheduler: "SchedulerBase") -> "Observable[Row]":
    """Join the streams of all sensors, each of which the scheduler runs."""
    import reactivex
    from reactivex import operators as ops

    streams = [
        stream(work, sensor).pipe(ops.subscribe_on(scheduler))
        for sensor in range(work.number("sensors"))
    ]
    return reactivex.merge(*streams)


def stream(work: Work, sensor: int) -> "Observable[Row]":
    """Describe what becomes of a sensor's readings: nothing flows yet."""
    import reactivex
    from reactivex import operators as ops

    # The fault: int() raises an error where understand() returns None.
    read: Callable[[str], Any] = int if work.fault == "no-on-error" else understand
    numbers: Observable[int] = reactivex.from_iterable(readings(work, sensor)).pipe(
        ops.map(read), ops.filter(lambda number: number is not None)
    )
    for function in chain(work):
        numbers = numbers.pipe(ops.map(function))
    return numbers.pipe(ops.group_by(group), ops.flat_map(lambda members: summed(sensor, members)))


def summed(sensor: int, members: Any) -> "Observable[Row]":
    """Describe how a group is counted and added up, once its last member has come."""
    from reactivex import operators as ops

    start: Row = (sensor, members.key, 0, 0)
    row: Observable[Row] = members.pipe(ops.reduce(add, start))
    return row


def add(row: Row, number: int) -> Row:
    """Count a number, and add it."""
    sensor, key, count, total = row
    return sensor, key, count + 1, total + number


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Make one operator of the whole chain, and use it once for every reading."""
    factor, offset = 1, 0
    for place in range(work.number("operators")):
        more, another = coefficients(work, place)
        factor, offset = factor * more % MODULUS, (offset * more + another) % MODULUS
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index in range(work.size):
        text = reading(work, index)
        if text != UNREADABLE:
            number = (int(text) * factor + offset) % MODULUS
            found[index % work.number("sensors"), number % GROUPS].append(number)
    return Result([(*key, len(members), sum(members)) for key, members in found.items()])
