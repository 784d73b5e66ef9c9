"""The GIL by itself: counting down, and a thread that sleeps beside threads that count.

The variant `countdown` is nothing but bytecode: threads that count down take turns at the GIL, as
many cores as there may be, and are no faster than one of them. The variant `convoy` adds a worker
that often sleeps for a millisecond, as one would that talks to a network. Each time it wakes up it
needs the GIL for a moment, and has to wait until the switch interval is over before it may ask for
it: short waits become long ones. On its own, or beside processes, it is hardly ever late.

What to look for in the report: in `threads` the GIL is held all the time, and one core is used,
whatever the number of `workers`; `processes` use all cores. In `convoy` the waits for the GIL of
the worker that sleeps, as long as the switch interval; `switch-interval-us=100` shortens them, and
makes more switches. On a free-threaded Python threads count as fast as processes.
"""

import contextlib
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

from concurtrace.workload import (
    START_METHOD,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

from ._models import PROCESSES, THREADS, Job, Model

WORKLOAD = Workload(
    lessons=("A10", "B5", "B14", "B18"),
    default_mode="threads",
    parameters=(
        Parameter("size", 40, "countdowns", 1, 1_000_000, presets={"tiny": 4, "large": 400}),
        Parameter(
            "steps",
            1_200_000,
            "steps of each countdown: from this to a tenth above it",
            1,
            1_000_000_000,
            presets={"tiny": 5000},
        ),
        Parameter("workers", 4, "who share the countdowns", 1, 256, presets={"tiny": 2}),
        Parameter(
            "switch-interval-us",
            5000,
            "after how many microseconds a thread may ask another for the GIL",
            1,
            10_000_000,
        ),
        START_METHOD,
    ),
    variants=(
        Variant("countdown", "everybody counts"),
        Variant("convoy", "everybody counts, and another one sleeps again and again"),
    ),
    expects={"threads/countdown": ("gil-saturation",), "threads/convoy": ("gil-convoy",)},
)

NAME = "counter"
NAP_S = 0.001
NAPS_PER_COUNTDOWN = 5


def start(work: Work, index: int) -> tuple[int, int]:
    """Return where a countdown begins, and how far each of its steps goes."""
    generator = random.Random(f"{work.seed}:{index}")
    stride = generator.randrange(2, 10)
    steps = work.number("steps")
    return (steps + generator.randrange(steps // 10 + 1)) * stride, stride


def count_down(number: int, stride: int) -> int:
    """Go down to zero, and return how many steps that took."""
    steps = 0
    while number > 0:
        number -= stride
        steps += 1
    return steps


def count_some(work: Work, part: int) -> list[Record]:
    """Do the countdowns of one worker; the parts are counted from 0."""
    return [
        (index, count_down(*start(work, index))) for index in range(part, work.size, work.workers)
    ]


def sleep_often(work: Work) -> tuple[int, int]:
    """Sleep again and again; return how often, and for how long more than was wanted."""
    naps = NAPS_PER_COUNTDOWN * work.size
    begin_ns = time.monotonic_ns()
    for _ in range(naps):
        time.sleep(NAP_S)
    return naps, time.monotonic_ns() - begin_ns - round(naps * NAP_S * 1e9)


def collect(parts: list[Any], sleeper: tuple[int, int] | None) -> Result:
    """Put together what the workers returned."""
    records: list[Record] = [record for part in parts for record in part]
    if sleeper is None:
        return Result(records)
    naps, late_ns = sleeper
    return Result([*records, ("naps", naps)], {"late-ns-per-nap": late_ns // naps})


def share(work: Work, model: Model) -> Result:
    """Have workers count, and in a convoy another one sleep at the same time."""
    jobs: list[Job] = [(count_some, (work, part)) for part in range(work.workers)]
    if work.variant == "countdown":
        return collect(model.run(jobs, NAME), None)
    *parts, sleeper = model.run([*jobs, (sleep_often, (work,))], NAME)
    return collect(parts, sleeper)


@contextlib.contextmanager
def switching(work: Work) -> Iterator[None]:
    """Set the switch interval around a block."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(work.number("switch-interval-us") / 1e6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One countdown after the other, and the naps afterwards."""
    parts = [count_some(work, part) for part in range(work.workers)]
    return collect(parts, sleep_often(work) if work.variant == "convoy" else None)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads that share the GIL."""
    with switching(work):
        return share(work, THREADS)


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Processes, each with a GIL of its own."""
    return share(work, PROCESSES)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Divide instead of counting."""
    records: list[Record] = []
    for index in range(work.size):
        number, stride = start(work, index)
        records.append((index, -(-number // stride)))
    if work.variant == "convoy":
        records.append(("naps", NAPS_PER_COUNTDOWN * work.size))
    return Result(records)
