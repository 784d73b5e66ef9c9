"""An event loop: many tasks that wait at the same time, on one thread.

Each task goes some steps; before each it waits, as if for an answer from somewhere, and then works
out its next number. The loop runs whichever is due and goes on when that one waits again. Told as
`tasks` that are created and gathered; as a `taskgroup`; as `coroutines` that are awaited one after
the other, where nothing overlaps; as a `chain` in which each step awaits the next; with `futures`
and callbacks alone, which is what all the others are made of; and in the loop's `debug` mode, which
names what held the loop for long. Sequential and with a thread for each, it is the same work.

What to look for in the report: one thread that is mostly idle, and yet all is done in the time that
one task takes. How late the loop came to its heartbeat (`lag-max-ms`, among what was observed) says
how long anybody had to wait whose turn it was: the one number to watch in such a program.

The faults: `blocking-call` sleeps in a coroutine without awaiting it, `cpu-in-coroutine` computes
there: everybody waits. `forgotten-await` calls a coroutine and leaves it at that; Python warns.
`lost-task-exception` lets a task fail that nobody awaits. `fire-and-forget` keeps no reference to a
task: the loop does not either, so it is collected as garbage while it waits.
"""

import asyncio
import gc
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self

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

from ._models import THREADS

WORKLOAD = Workload(
    lessons=("A2", "A36", "A37", "A38", "D.2"),
    default_mode="async",
    parameters=(
        Parameter("size", 60, "tasks", 3, 5000, presets={"tiny": 6, "large": 400}),
        Parameter("awaits", 12, "steps of each task", 1, 500, presets={"tiny": 3}),
        Parameter("wait-ms", 2, "how long it waits before each", 0, 10_000, presets={"tiny": 1}),
    ),
    variants=(
        Variant("tasks", "created, named and gathered"),
        Variant("taskgroup", "a group that ends when all have", modes=("async",)),
        Variant("coroutines", "awaited one after the other", modes=("async",)),
        Variant("chain", "each step awaits the next", modes=("async",)),
        Variant("futures", "callbacks and futures, without a coroutine", modes=("async",)),
        Variant("debug", "in debug mode, with one step that takes long", modes=("async",)),
    ),
    faults=(
        Fault(
            "blocking-call",
            "a call in a coroutine blocks the thread, and with it the loop",
            FaultOutcome.COST,
            modes=("async",),
            variant="tasks",
        ),
        Fault(
            "cpu-in-coroutine",
            "a coroutine computes for long and lets nobody else run",
            FaultOutcome.COST,
            modes=("async",),
            variant="tasks",
        ),
        Fault(
            "forgotten-await",
            "a coroutine is called, and never runs",
            FaultOutcome.WRONG_RESULT,
            modes=("async",),
            variant="tasks",
        ),
        Fault(
            "lost-task-exception",
            "a task fails, and nobody awaits it",
            FaultOutcome.WRONG_RESULT,
            modes=("async",),
            variant="tasks",
        ),
        Fault(
            "fire-and-forget",
            "nobody keeps a task, so it is collected while it waits",
            FaultOutcome.WRONG_RESULT,
            modes=("async",),
            variant="tasks",
        ),
    ),
    expects={"async/coroutines": ("unoverlapped-io",)},
)

MODULUS = (1 << 31) - 1
FACTOR = 48_271
"""A generator of Lehmer's. Source: Park, Miller and Stockmeyer, CACM 36 (1993), 105."""
HELD_S = 0.25
"""How long a fault holds the loop."""
SLOW_S = 0.05
"""What debug mode is told to call slow."""
HEARTBEAT_S = 0.005


def first(work: Work, index: int) -> int:
    """Return the number that a task begins with."""
    return random.Random(f"{work.seed}:{index}").randrange(1, MODULUS)


def following(number: int) -> int:
    """Work out the next number: what a step does."""
    return number * FACTOR % MODULUS


def name_of(index: int) -> str:
    """Return the name of a task."""
    return f"walker-{index}"


def wait_s(work: Work) -> float:
    """Return how long each step waits, in seconds."""
    return work.number("wait-ms") / 1000


def walk(work: Work, index: int) -> Record:
    """Go all steps of a task, and block while waiting."""
    number = first(work, index)
    for _ in range(work.number("awaits")):
        time.sleep(wait_s(work))
        number = following(number)
    return (name_of(index), number)


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One task after the other: the waiting adds up."""
    return Result([walk(work, index) for index in range(work.size)])


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """A thread for each: they wait together too, and each has a stack and a place in the kernel."""
    return Result(THREADS.run([(walk, (work, index)) for index in range(work.size)], "walker"))


@WORKLOAD.mode(imports=("asyncio",))
def async_(work: Work) -> Result:
    """One loop for all, with a heartbeat that shows how late it comes."""
    if work.variant != "debug":
        return asyncio.run(walk_all(work))
    with SlowCallbacks() as slow:
        result = asyncio.run(walk_all(work), debug=True)
    return Result(result.records, {**result.observed, "slow-callbacks": len(slow.told)})


class SlowCallbacks(logging.Handler):
    """Collects what asyncio's debug mode has to say about them, in place of stderr."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message, such as "Executing <Task …> took 0.060 seconds"."""
        self.told.append(record.getMessage())

    def __enter__(self) -> Self:
        logging.getLogger("asyncio").addHandler(self)
        return self

    def __exit__(self, *_raised: object) -> None:
        logging.getLogger("asyncio").removeHandler(self)


class Heart:
    """Beats in the loop, and notes how late it came to it at worst."""

    def __init__(self) -> None:
        self.lag_s = 0.0

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            due = time.monotonic() + HEARTBEAT_S
            await asyncio.sleep(HEARTBEAT_S)
            self.lag_s = max(self.lag_s, time.monotonic() - due)


async def walk_all(work: Work) -> Result:
    """Let all tasks walk in the way of the variant, beside a heartbeat."""
    asyncio.get_running_loop().slow_callback_duration = SLOW_S
    heart = Heart()
    beating = asyncio.create_task(heart.beat(), name="heartbeat")
    await asyncio.sleep(0)
    records = await WAYS[work.variant](work)
    # One beat more, so that what held the loop until now shows.
    await asyncio.sleep(HEARTBEAT_S)
    beating.cancel()
    await asyncio.wait([beating])
    return Result(records, {"lag-max-ms": round(heart.lag_s * 1000, 1)})


async def walk_softly(work: Work, index: int) -> Record:
    """Go all steps of a task, and let others run while waiting."""
    number = first(work, index)
    for _ in range(work.number("awaits")):
        await asyncio.sleep(wait_s(work))
        number = following(number)
    return (name_of(index), number)


async def as_tasks(work: Work) -> list[Record]:
    """Create a task for each, and gather what they return."""
    walks = [FAULTY.get(work.fault, walk_softly)(work, 0)]
    walks += [walk_softly(work, index) for index in range(1, work.size)]
    if work.fault in LEFT_ALONE:
        return await leave_the_first(walks)
    return [one for one in await asyncio.gather(*named(walks)) if one]


def named(walks: list[Coroutine[Any, Any, Record]]) -> list["asyncio.Task[Record]"]:
    """Make named tasks of coroutines."""
    return [asyncio.create_task(one, name=name_of(index)) for index, one in enumerate(walks)]


async def as_group(work: Work) -> list[Record]:
    """Create tasks in a group, whose block ends when all of them have."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(walk_softly(work, index), name=name_of(index))
            for index in range(work.size)
        ]
    return [task.result() for task in tasks]


async def one_by_one(work: Work) -> list[Record]:
    """Await each coroutine before the next is even begun."""
    return [await walk_softly(work, index) for index in range(work.size)]


async def as_chains(work: Work) -> list[Record]:
    """Let each step await the next, down to the last."""
    chains = [
        step_down(work, first(work, index), work.number("awaits")) for index in range(work.size)
    ]
    numbers = await asyncio.gather(*chains)
    return [(name_of(index), number) for index, number in enumerate(numbers)]


async def step_down(work: Work, number: int, left: int) -> int:
    """Go one step, and await those that are left."""
    if left == 0:
        return number
    await asyncio.sleep(wait_s(work))
    return await step_down(work, following(number), left - 1)


async def as_futures(work: Work) -> list[Record]:
    """Let the loop call a function for each step; the last one gives the future its result."""
    loop = asyncio.get_running_loop()

    def step(number: int, left: int, arrived: "asyncio.Future[int]") -> None:
        if left == 0:
            arrived.set_result(number)
        else:
            loop.call_later(wait_s(work), step, following(number), left - 1, arrived)

    futures = [loop.create_future() for _ in range(work.size)]
    for index, future in enumerate(futures):
        step(first(work, index), work.number("awaits"), future)
    numbers = await asyncio.gather(*futures)
    return [(name_of(index), number) for index, number in enumerate(numbers)]


async def as_debugged_tasks(work: Work) -> list[Record]:
    """Create tasks, one of which takes long over a step."""
    spin(SLOW_S * 1.5)
    return await as_tasks(work)


WAYS: dict[str, Callable[[Work], Awaitable[list[Record]]]] = {
    "tasks": as_tasks,
    "taskgroup": as_group,
    "coroutines": one_by_one,
    "chain": as_chains,
    "futures": as_futures,
    "debug": as_debugged_tasks,
}


def spin(seconds: float) -> None:
    """Compute for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        following(1)


async def block(work: Work, index: int) -> Record:
    """Walk, after a call that does not know of the loop."""
    time.sleep(HELD_S)
    return await walk_softly(work, index)


async def compute(work: Work, index: int) -> Record:
    """Walk, after a long computation."""
    spin(HELD_S)
    return await walk_softly(work, index)


async def forget(work: Work, index: int) -> Record:
    """Call for the walk, and forget to await it."""
    walk_softly(work, index)  # type: ignore[unused-coroutine]
    return ()


async def stumble(work: Work, index: int) -> Record:
    """Fail at the first step."""
    await asyncio.sleep(wait_s(work))
    raise LookupError(f"{name_of(index)} has lost its way")


async def walk_unseen(work: Work, index: int) -> Record:
    """Wait for a word that is to come from somewhere, then walk; nobody else knows of either."""
    await asyncio.get_running_loop().create_future()
    return await walk_softly(work, index)


FAULTY: dict[str, Callable[[Work, int], Coroutine[Any, Any, Record]]] = {
    "blocking-call": block,
    "cpu-in-coroutine": compute,
    "forgotten-await": forget,
    "lost-task-exception": stumble,
    "fire-and-forget": walk_unseen,
}


async def leave_the_first(walks: list[Coroutine[Any, Any, Record]]) -> list[Record]:
    """Start all tasks, and await all but the first."""
    alone, *others = named(walks)
    # What nobody refers to is garbage: neither the list of coroutines may, nor a variable.
    walks.clear()
    del alone
    records = list(await asyncio.gather(*others))
    # It would be collected some day; to do it now makes it certain.
    gc.collect()
    return records


LEFT_ALONE = ("lost-task-exception", "fire-and-forget")


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Go all steps of a task at once, by a power of the factor."""
    jump = pow(FACTOR, work.number("awaits"), MODULUS)
    return Result(
        [(name_of(index), first(work, index) * jump % MODULUS) for index in range(work.size)]
    )
