"""A slow function beside a fast one: what a profiler is for, before anything runs in parallel.

How many points with whole coordinates lie in a circle? `slow` looks at every point of a square,
`fast` works out each row by a root; both give the same number, which every item is checked by. The
program also makes a table on one line, which takes most of its memory. Timing the two functions
tells which one to keep (`concurtrace bench 'concurtrace.workloads.hotspot:slow(60)'
'concurtrace.workloads.hotspot:fast(60)'`); profiling finds the slow one without being told.

What to look for in the report: `slow` leads the table of functions by far, with as many calls as
`fast`; in the lines of `slow` the comparison is the line; in the memory of `make_table` one line
stands out. Threads do not make `slow` faster, for it computes: they take turns at the GIL. With
processes it is faster by as much as there are cores; `fast` in its place gains more than any number
of them.

The fault `leak` keeps what each item worked with in a list that nobody looks at: the memory grows
as long as the program runs.
"""

import asyncio
import math
import random
import zlib

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Work,
    Workload,
)

from ._models import PROCESSES, THREADS, Job

WORKLOAD = Workload(
    lessons=("A23", "A24"),
    parameters=(
        Parameter("size", 16_000, "circles", 1, 1_000_000, presets={"tiny": 100, "large": 50_000}),
        Parameter("workers", 4, "who share them", 1, 256, presets={"tiny": 2}),
        Parameter(
            "radius",
            40,
            "of the largest circle; `slow` takes about as many times as long as `fast`",
            1,
            10_000,
            presets={"tiny": 20},
        ),
        Parameter(
            "megabytes", 64, "how large the table is", 0, 4096, presets={"tiny": 1, "large": 256}
        ),
        START_METHOD,
    ),
    faults=(
        Fault(
            "leak",
            "what each item worked with is kept, and never looked at again",
            FaultOutcome.COST,
        ),
    ),
    expects={
        "sequential": ("cpu-hotspot",),
        "threads": ("gil-saturation",),
        "async": ("gil-saturation",),
    },
)

BLOCK = 1 << 20
LEAK = 16 << 10
"""What the fault keeps of each item, in bytes."""
leaked: list[bytearray] = []
"""Where the fault keeps it: a cache without a bound and without a reader."""


def slow(radius: int) -> int:
    """Count the points of a circle's quarter by looking at each point of the square round it."""
    count = 0
    for x in range(radius + 1):
        for y in range(radius + 1):
            if x * x + y * y <= radius * radius:
                count += 1
    return count


def fast(radius: int) -> int:
    """Count them by the height of each column."""
    count = 0
    for x in range(radius + 1):
        count += math.isqrt(radius * radius - x * x) + 1
    return count


def radius_of(work: Work, index: int) -> int:
    """Choose the radius of a circle, from half the largest to the largest."""
    largest = work.number("radius")
    return random.Random(f"{work.seed}:{index}").randint((largest + 1) // 2, largest)


def make_table(work: Work, part: int) -> list[bytes]:
    """Make the blocks of the table that are one worker's; the line that takes the memory."""
    blocks = range(part, work.number("megabytes"), work.workers)
    return [random.Random(f"{work.seed}:{block}").randbytes(BLOCK) for block in blocks]


def count_share(work: Work, part: int) -> list[Record]:
    """Do one worker's share: its blocks of the table, and every so manieth circle."""
    table = make_table(work, part)
    records: list[Record] = [
        ("block", block, zlib.crc32(content))
        for block, content in zip(
            range(part, work.number("megabytes"), work.workers), table, strict=True
        )
    ]
    for index in range(part, work.size, work.workers):
        radius = radius_of(work, index)
        if work.fault == "leak":
            leaked.append(bytearray(LEAK))
        records.append((index, radius, slow(radius), fast(radius)))
    return records


def jobs(work: Work) -> list[Job]:
    """Return each worker's share as a job."""
    return [(count_share, (work, part)) for part in range(work.workers)]


def collected(parts: list[list[Record]]) -> Result:
    """Put the workers' records together."""
    return Result([record for part in parts for record in part], {"kept-bytes": LEAK * len(leaked)})


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One share after the other: what `slow` costs, and nothing else."""
    return collected([count_share(work, part) for part in range(work.workers)])


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """A thread for each share: no faster, since one computes at a time."""
    return collected(THREADS.run(jobs(work), "counter"))


@WORKLOAD.mode(imports=("multiprocessing.process",))
def processes(work: Work) -> Result:
    """A process for each share: the hot spot is as hot, on several cores."""
    return collected(PROCESSES.run(jobs(work), "counter"))


@WORKLOAD.mode(imports=("asyncio",))
def async_(work: Work) -> Result:
    """Each share in a thread, so that the event loop stays free; they compute in turns."""
    return collected(asyncio.run(count_in_threads(work)))


async def count_in_threads(work: Work) -> list[list[Record]]:
    """Await the shares of all workers."""
    return await asyncio.gather(
        *[asyncio.to_thread(count_share, work, part) for part in range(work.workers)]
    )


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Count by the formula of Gauss, whose sum has no square and no root."""
    records: list[Record] = []
    for block in range(work.number("megabytes")):
        content = random.Random(f"{work.seed}:{block}").randbytes(BLOCK)
        records.append(("block", block, zlib.crc32(content)))
    for index in range(work.size):
        radius = radius_of(work, index)
        count = gauss(radius)
        records.append((index, radius, count, count))
    return Result(records)


def gauss(radius: int) -> int:
    """Count the points of a whole circle, then take a quarter with its two axes.

    Source: D. Hilbert and S. Cohn-Vossen, Anschauliche Geometrie, 1932, chapter II, 6:
    N(r) = 1 + 4 * sum over i of floor(r^2 / (4i + 1)) - floor(r^2 / (4i + 3)).
    """
    square = radius * radius
    terms = range(square // 4 + 1)
    whole = 1 + 4 * sum(square // (4 * i + 1) - square // (4 * i + 3) for i in terms)
    return (whole - 1) // 4 + radius + 1
