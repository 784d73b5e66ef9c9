"""A race: several add to one number, and what it takes that nothing gets lost.

Adding is reading, computing and writing. Who reads between another's reading and writing will
overwrite what the other has written. The variants prevent that: `lock` and `rlock` let one at a
time do all three, `queue` leaves the number to one owner, who is sent what to add, and
`unlocked-safe` lets each add to a number of its own and adds these up at the end.

What to look for in the report: what the lock costs, against `unlocked-safe`, which does the same
work without: acquisitions, waits, and, for threads, the switches of the GIL that each wait brings.
The fault `unsynchronised` leaves the lock out, and gives up its turn, now and then, between reading
and writing. With a plain `+=` CPython 3.11 to 3.13 loses nothing by luck, because it changes
threads only at certain points, none of which is in between; nothing promises that, and without a
GIL it is wrong.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Result,
    Variant,
    Work,
    Workload,
)

from ._models import GEVENT, GREENLETS, PROCESSES, THREADS, Job, Model

WORKLOAD = Workload(
    lessons=("A12", "B10", "B19"),
    default_mode="threads",
    parameters=(
        Parameter(
            "size",
            1_500_000,
            "increments",
            4,
            100_000_000,
            presets={"tiny": 1000, "large": 10_000_000},
        ),
        Parameter("workers", 4, "how many share them", 2, 256, presets={"tiny": 2}),
        START_METHOD,
    ),
    variants=(
        Variant("lock", "one at a time may read and write"),
        Variant(
            "rlock",
            "the same with a lock that its holder may take again",
            modes=("sequential", "threads", "processes", "gevent"),
        ),
        Variant("queue", "one owner adds what all others send"),
        Variant("unlocked-safe", "each has a number of its own"),
    ),
    faults=(
        Fault(
            "unsynchronised",
            "nothing keeps the others out between reading and writing",
            FaultOutcome.WRONG_RESULT,
            modes=("threads", "processes", "async", "gevent"),
            variant="lock",
        ),
    ),
    # Threads seldom meet at the lock: who waits does so for the GIL. A loop has but one to compute.
    expects={
        **dict.fromkeys(("threads/lock", "threads/rlock"), ("gil-saturation",)),
        **dict.fromkeys(("processes/lock", "processes/rlock"), ("lock-contention",)),
        **dict.fromkeys(("async", "gevent"), ("cpu-bound-coroutine",)),
    },
)


def amount(seed: int, index: int) -> int:
    """Return what one increment adds: 1 to 9."""
    # Knuth's multiplicative hash; a generator for each would take longer than the adding.
    return 1 + (index * 2_654_435_761 + seed >> 8) % 9


def batches(work: Work, part: int) -> Iterator[list[int]]:
    """Return the same in lists: each message has its price, whatever is in it."""
    everything = amounts(work, part)
    for start in range(0, len(everything), BATCH):
        yield everything[start : start + BATCH]


def amounts(work: Work, part: int) -> list[int]:
    """Return what a worker is to add; the parts are counted from 0."""
    return [amount(work.seed, index) for index in range(part, work.size, work.workers)]


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One does it all, and there is no race."""
    total = 0
    for part in range(work.workers):
        for more in amounts(work, part):
            total += more
    return Result([("total", total)])


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads and a number that they all see."""
    return race(work, THREADS, SimpleNamespace(value=0))


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Processes and a number in memory that they share: a ``Value``."""
    return race(work, PROCESSES, multiprocessing.Value("q", 0, lock=False))


@WORKLOAD.mode(imports=("gevent",), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """Greenlets, which change only where one waits."""
    return race(work, GREENLETS, SimpleNamespace(value=0))


def race(work: Work, model: Model, number: Any) -> Result:
    """Let workers add to a number in the way of the variant."""
    parts = range(work.workers)
    if work.variant == "unlocked-safe":
        return Result([("total", sum(model.run([(add_up, (work, part)) for part in parts], NAME)))])
    if work.variant == "queue":
        post = model.queue(0)
        jobs: list[Job] = [(own, (work, post))]
        jobs += [(send, (work, part, post)) for part in parts]
        return Result([("total", model.run(jobs, NAME)[0])])
    if work.fault == "unsynchronised":
        # All read before the first writes: this makes the first loss certain, not possible.
        meeting = model.primitives.Barrier(work.workers)
        model.run([(add_in_turns, (work, part, number, meeting)) for part in parts], NAME)
    else:
        lock = model.primitives.Lock() if work.variant == "lock" else model.primitives.RLock()
        model.run([(add_locked, (work, part, number, lock)) for part in parts], NAME)
    return Result([("total", number.value)])


NAME = "adder"
BATCH = 50
"""How many amounts travel together in the variant `queue`, and how often the fault yields."""


def add_locked(work: Work, part: int, number: Any, lock: Any) -> None:
    """Add while nobody else can."""
    for more in amounts(work, part):
        with lock:
            number.value += more


def add_in_turns(work: Work, part: int, number: Any, meeting: Any) -> None:
    """Read, let the others have their turn, and write what is no longer right."""
    for turn, more in enumerate(amounts(work, part)):
        before = number.value
        if turn == 0:
            meeting.wait()
        elif turn % BATCH == 0:
            time.sleep(0)
        number.value = before + more


def add_up(work: Work, part: int) -> int:
    """Add to a number that nobody else knows."""
    total = 0
    for more in amounts(work, part):
        total += more
    return total


def send(work: Work, part: int, post: Any) -> None:
    """Send what is to be added to the owner of the number."""
    for some in batches(work, part):
        post.put(some)
    post.put(None)


def own(work: Work, post: Any) -> int:
    """Add what comes, until every worker has said that this was all."""
    total, missing = 0, work.workers
    while missing:
        some = post.get()
        if some is None:
            missing -= 1
        else:
            total += sum(some)
    return total


@WORKLOAD.mode(imports=("asyncio",))
def async_(work: Work) -> Result:
    """Tasks, which change only at an await."""
    return Result([("total", asyncio.run(race_tasks(work)))])


async def race_tasks(work: Work) -> int:
    """Let tasks add to a number in the way of the variant."""
    number = SimpleNamespace(value=0)
    lock = asyncio.Lock()
    parts = range(work.workers)
    if work.variant == "unlocked-safe":
        return sum(await asyncio.gather(*[add_up_soon(work, part) for part in parts]))
    if work.variant == "queue":
        post: asyncio.Queue[list[int] | None] = asyncio.Queue()
        senders = [send_soon(work, part, post) for part in parts]
        return int((await asyncio.gather(own_soon(work, post), *senders))[0] or 0)
    if work.fault == "unsynchronised":
        await asyncio.gather(*[add_in_turns_soon(work, part, number) for part in parts])
    else:
        await asyncio.gather(*[add_locked_soon(work, part, number, lock) for part in parts])
    return int(number.value)


async def add_locked_soon(work: Work, part: int, number: Any, lock: asyncio.Lock) -> None:
    """Add while nobody else can; without an await in between, the lock is not needed."""
    for more in amounts(work, part):
        async with lock:
            number.value += more


async def add_in_turns_soon(work: Work, part: int, number: Any) -> None:
    """Read, let the others have their turn, and write what is no longer right."""
    for turn, more in enumerate(amounts(work, part)):
        before = number.value
        if turn % BATCH == 0:
            await asyncio.sleep(0)
        number.value = before + more


async def add_up_soon(work: Work, part: int) -> int:
    """Add to a number that nobody else knows."""
    return add_up(work, part)


async def send_soon(work: Work, part: int, post: "asyncio.Queue[list[int] | None]") -> None:
    """Send what is to be added to the owner of the number."""
    for some in batches(work, part):
        await post.put(some)
    await post.put(None)


async def own_soon(work: Work, post: "asyncio.Queue[list[int] | None]") -> int:
    """Add what comes, until every worker has said that this was all."""
    total, missing = 0, work.workers
    while missing:
        some = await post.get()
        if some is None:
            missing -= 1
        else:
            total += sum(some)
    return total


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Add up in the order of the increments, not of the workers."""
    return Result([("total", sum(amount(work.seed, index) for index in range(work.size)))])
