"""The dining philosophers: each needs two forks, and shares both.

Philosophers sit round a table with a fork between every two of them. Each thinks, takes the forks
to the left and right, eats, and puts them back, until the appetite is gone. If all take the left
one first and then wait for the right one, all wait for ever. The variants avoid that: `ordered`
forks have numbers and everybody takes the smaller one first, so that no circle can close; `rlock`
does the same with forks that their holder may take again, as the course has it; a `waiter` lets all
but one take forks at the same time. In the `csp` mode nothing is shared: each fork is a process of
its own that hands itself out to one neighbour at a time, through a channel.

What to look for in the report: the forks as locks, with the time that each was held and waited for,
and how evenly the philosophers waited: nobody should go hungry. The fault `naive` lets all take the
left fork, makes sure that all have it, and then lets all reach for the right one: the report shows
the circle, who holds what and who waits for it.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
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

from ._models import PROCESSES, THREADS, Model

WORKLOAD = Workload(
    lessons=("A12",),
    parameters=(
        Parameter("size", 5, "philosophers", 2, 1000, presets={"tiny": 3, "large": 15}),
        Parameter(
            "meals",
            80,
            "meals until one is full, up to four more",
            1,
            100_000,
            presets={"tiny": 3, "large": 200},
        ),
        Parameter(
            "eat-us",
            4000,
            "how long a meal takes, in microseconds",
            0,
            10_000_000,
            presets={"tiny": 500},
        ),
        Parameter(
            "think-us",
            4000,
            "how long one thinks between meals, up to twice as long, in microseconds",
            0,
            10_000_000,
            presets={"tiny": 500},
        ),
        START_METHOD,
    ),
    variants=(
        Variant("ordered", "the fork with the smaller number first"),
        Variant(
            "rlock",
            "the same with forks that their holder may take again",
            modes=("threads", "processes"),
        ),
        Variant(
            "waiter",
            "all but one may take forks at the same time",
            modes=("threads", "processes", "async"),
        ),
    ),
    faults=(
        Fault(
            "naive",
            "all take the left fork, then all wait for the right one",
            FaultOutcome.HANG,
            modes=("threads", "processes", "async"),
            variant="ordered",
        ),
    ),
    # Who eats is asleep with two forks in hand: what is done with locks, not how many want them.
    expects={"threads": ("lock-held-across-io",), "processes": ("lock-held-across-io",)},
)


class Philosopher:
    """One who sits at the table: what differs between the seats, and what does not."""

    def __init__(self, work: Work, seat: int) -> None:
        self.seat = seat
        self.dice = random.Random(f"{work.seed}:{seat}")
        self.appetite = work.number("meals") + self.dice.randrange(5)
        self.eat_s = work.number("eat-us") / 1e6
        self.think_s = work.number("think-us") / 1e6
        self.waited_ns = 0
        left, right = seat, (seat + 1) % work.size
        # In this order no circle can close: somebody takes the right one first.
        takes_in_order = work.variant != "waiter" and work.fault != "naive"
        self.forks = (min(left, right), max(left, right)) if takes_in_order else (left, right)

    def thinking_s(self) -> float:
        """Return how long the next thought takes."""
        return self.think_s * (1 + self.dice.random())

    def report(self) -> tuple[int, int, int]:
        """Say who ate how often, and waited how long."""
        return self.seat, self.appetite, self.waited_ns


def told(reports: Sequence[tuple[int, int, int]]) -> Result:
    """Make the philosophers' reports the result."""
    records: list[Record] = [(f"seat {seat}", meals) for seat, meals, _ in reports]
    waited = {f"seat-{seat}-waited-ms": waited // 1_000_000 for seat, _, waited in reports}
    return Result(records, waited)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Philosophers that are threads, forks that are locks."""
    return dine(work, THREADS)


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Philosophers that are processes, forks that are locks between them."""
    return dine(work, PROCESSES)


def dine(work: Work, model: Model) -> Result:
    """Lay the table, and wait until everybody is full."""
    fork = model.primitives.RLock if work.variant == "rlock" else model.primitives.Lock
    forks = [fork() for _ in range(work.size)]
    waiter = model.primitives.Semaphore(work.size - 1) if work.variant == "waiter" else None
    # All have the left fork before any reaches for the right one: certain, not possible.
    meeting = model.primitives.Barrier(work.size) if work.fault == "naive" else None
    jobs = [(sit, (Philosopher(work, seat), forks, waiter, meeting)) for seat in range(work.size)]
    return told(model.run(jobs, "philosopher"))


def sit(
    philosopher: Philosopher, forks: Sequence[Any], waiter: Any, meeting: Any
) -> tuple[int, int, int]:
    """Think and eat until full: what each philosopher does."""
    first, second = (forks[number] for number in philosopher.forks)
    may_reach: AbstractContextManager[Any] = waiter or nullcontext()
    for _ in range(philosopher.appetite):
        time.sleep(philosopher.thinking_s())
        hungry_ns = time.monotonic_ns()
        with may_reach, first:
            if meeting is not None:
                meeting.wait()
            with second:
                philosopher.waited_ns += time.monotonic_ns() - hungry_ns
                time.sleep(philosopher.eat_s)
    return philosopher.report()


@WORKLOAD.mode(imports=("asyncio",))
def async_(work: Work) -> Result:
    """Philosophers that are tasks of one event loop."""
    return told(asyncio.run(dine_soon(work)))


async def dine_soon(work: Work) -> list[tuple[int, int, int]]:
    """Lay the table, and wait until everybody is full."""
    forks = [asyncio.Lock() for _ in range(work.size)]
    waiter = asyncio.Semaphore(work.size - 1) if work.variant == "waiter" else None
    meeting = asyncio.Barrier(work.size) if work.fault == "naive" else None
    seats = [sit_soon(Philosopher(work, seat), forks, waiter, meeting) for seat in range(work.size)]
    return list(await asyncio.gather(*seats))


async def sit_soon(
    philosopher: Philosopher,
    forks: Sequence[asyncio.Lock],
    waiter: asyncio.Semaphore | None,
    meeting: asyncio.Barrier | None,
) -> tuple[int, int, int]:
    """Think and eat until full: what each philosopher does."""
    first, second = (forks[number] for number in philosopher.forks)
    may_reach: AbstractAsyncContextManager[Any] = waiter or nullcontext()
    for _ in range(philosopher.appetite):
        await asyncio.sleep(philosopher.thinking_s())
        hungry_ns = time.monotonic_ns()
        async with may_reach, first:
            if meeting is not None:
                await meeting.wait()
            async with second:
                philosopher.waited_ns += time.monotonic_ns() - hungry_ns
                await asyncio.sleep(philosopher.eat_s)
    return philosopher.report()


@WORKLOAD.mode(imports=("pycsp.parallel",), extra="csp")
def csp(work: Work) -> Result:
    """Philosophers and forks that are processes of CSP, with channels between them."""
    from ._csp import parallel

    with parallel() as csp:
        channels = [(csp.Channel(f"take {n}"), csp.Channel(f"put {n}")) for n in range(work.size)]
        table = [csp.process(be_fork)(take.reader(), put.reader()) for take, put in channels]
        for seat in range(work.size):
            philosopher = Philosopher(work, seat)
            (take_1, put_1), (take_2, put_2) = (channels[number] for number in philosopher.forks)
            ends = (take_1.writer(), put_1.writer(), take_2.writer(), put_2.writer())
            table.append(csp.process(sit_at_channels)(philosopher, *ends))
        return told(csp.Parallel(*table)[work.size :])


def be_fork(take: Any, put: Any) -> None:
    """Hand oneself out, and wait to be put back: what each fork does.

    It ends when both neighbours have left the table, and with that retired these channels.
    """
    while True:
        take()
        put()


def sit_at_channels(philosopher: Philosopher, *ends: Any) -> tuple[int, int, int]:
    """Think and eat until full: what each philosopher does."""
    from pycsp.parallel import retire

    take_first, put_first, take_second, put_second = ends
    for _ in range(philosopher.appetite):
        time.sleep(philosopher.thinking_s())
        hungry_ns = time.monotonic_ns()
        take_first(philosopher.seat)
        take_second(philosopher.seat)
        philosopher.waited_ns += time.monotonic_ns() - hungry_ns
        time.sleep(philosopher.eat_s)
        put_first(philosopher.seat)
        put_second(philosopher.seat)
    retire(*ends)
    return philosopher.report()


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say how often each has to eat to be full."""
    records: list[Record] = [
        (f"seat {seat}", Philosopher(work, seat).appetite) for seat in range(work.size)
    ]
    return Result(records)
