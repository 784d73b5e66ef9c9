"""Memory: how long it takes to get at it depends on where it is, and on who else wants it.

Workers, each kept on a core of its own, compute with an array that is larger than the caches. In
the variant `uma` each works on its part. In `numa` each works on its part, which it was the first
to touch, so that it lies in the memory nearest to its core, and then on the part of another one,
which is far where a machine has several nodes. `stride` adds up all numbers again and again, each
time in larger strides: the same numbers and the same sum, but of every line of memory that comes
into the cache less and less is used. In `false-sharing` workers add to numbers of their own: first
in a stretch for each, then one worker's beside the other's, so that cores take the same lines of
the cache away from each other, although no number is shared. (Two cores of a virtual machine may be
one core's two threads, with one cache: then there is nothing to take away.)

What to look for in the report: the run's own figures, in picoseconds of CPU time for each number
(`near-ps` and `far-ps`, `stride-1-ps` to `stride-64-ps`, `apart-ps` and `beside-ps`). What memory
costs shows in none of the states, because a core that waits for memory counts as running. Two cores
that wait for one memory are hardly faster than one: compare `workers=1` with `workers=2`.
"""

import contextlib
import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concurtrace.workload import (
    START_METHOD,
    Parameter,
    Record,
    Result,
    Value,
    Variant,
    Work,
    Workload,
)

from ._models import Job, run_processes, run_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.uint64]

WORKLOAD = Workload(
    lessons=("A7", "B1"),
    default_mode="threads",
    parameters=(
        Parameter(
            "size",
            150,
            "times that every number is visited: an eighth of it in `stride`",
            1,
            10_000,
            presets={"tiny": 1, "large": 500},
        ),
        Parameter("array-mb", 64, "megabytes of the array", 1, 100_000, presets={"tiny": 1}),
        Parameter("workers", 2, "threads or processes, each on a core", 1, 256),
        START_METHOD,
    ),
    variants=(
        Variant("uma", "everybody works on a part of one memory"),
        Variant("numa", "everybody works on the nearest part, then on that of another"),
        Variant("stride", "all numbers in the order of memory, and in larger and larger strides"),
        Variant("false-sharing", "numbers of several workers on the same lines of the cache"),
    ),
)

FILLER, VISITOR = "filler", "visitor"
NUMBER_BYTES = 8
STRIDES = (1, 2, 4, 8, 16, 32, 64)
"""From eight numbers on, every visit needs a line of 64 bytes for itself."""
STRIDE_SHARE = 8
"""How much less often the numbers are added up in each stride."""
SMALL = 1 << 14
"""Numbers in `false-sharing`: an eighth of a megabyte, which a core's own cache holds."""
SMALL_VISITS = 400
"""How much more often they are visited."""
FACTOR = 0x9E37_79B9_7F4A_7C15
"""Spreads what the numbers start with. Arithmetic is modulo 2^64 throughout."""
NODES = Path("/sys/devices/system/node")

Run = Callable[[Sequence[Job], str], list[Any]]
Buffer = Any
"""What all workers see: an array, or memory that processes share."""


def run_in_turn(jobs: Sequence[Job], _name: str) -> list[Any]:
    """Do one job after the other."""
    return [function(*arguments) for function, arguments in jobs]


def visits(work: Work) -> int:
    """Return how often each number is visited in one go."""
    shares = {"stride": 1 / STRIDE_SHARE, "false-sharing": SMALL_VISITS}
    return max(round(work.size * shares.get(work.variant, 1)), 1)


def count(work: Work) -> int:
    """Return how many numbers there are."""
    small = work.variant == "false-sharing"
    return SMALL if small else (work.number("array-mb") << 20) // NUMBER_BYTES


def cores_by_node() -> list[list[int]]:
    """List the cores that this process may use, by the memory that they are near to."""
    able = os.sched_getaffinity(0)
    nodes = []
    for path in sorted(NODES.glob("node[0-9]*/cpulist")):
        ranges = [one.partition("-") for one in path.read_text().strip().split(",") if one]
        cores = {core for low, _, high in ranges for core in range(int(low), int(high or low) + 1)}
        nodes.append(sorted(cores & able))
    return [cores for cores in nodes if cores] or [sorted(able)]


def core_of(part: int) -> int:
    """Return the core of a worker: neighbours are on different nodes, if there are several."""
    nodes = cores_by_node()
    cores = nodes[part % len(nodes)]
    return cores[part // len(nodes) % len(cores)]


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep the calling thread on a core during a block."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def part_of(work: Work, buffer: Buffer, part: int) -> "Array":
    """Return the stretch of the array that is a worker's."""
    import numpy as np

    whole = np.frombuffer(buffer, np.uint64)
    return whole[len(whole) * part // work.workers : len(whole) * (part + 1) // work.workers]


def fill(work: Work, buffer: Buffer, part: int, core: int) -> None:
    """Write what the numbers of a part start with."""
    import numpy as np

    with pinned(core):
        whole, own = np.frombuffer(buffer, np.uint64), part_of(work, buffer, part)
        first = len(whole) * part // work.workers
        own[:] = np.arange(first, first + len(own), dtype=np.uint64)
        own *= np.uint64(FACTOR)
        own += np.uint64(work.seed)


def visit(work: Work, buffer: Buffer, part: int, core: int) -> int:
    """Replace every number x of a part by 3x + 1, again and again; return the CPU time."""
    own = part_of(work, buffer, part)
    with pinned(core):
        begin_ns = time.thread_time_ns()
        for _ in range(visits(work)):
            own *= 3
            own += 1
        return time.thread_time_ns() - begin_ns


def stride_through(work: Work, buffer: Buffer, part: int, core: int) -> list[tuple[int, int]]:
    """Add up the numbers of a part in every stride; return each sum, and the CPU time."""
    own = part_of(work, buffer, part)
    found = []
    with pinned(core):
        for stride in STRIDES:
            begin_ns = time.thread_time_ns()
            for _ in range(visits(work)):
                total = sum(int(own[offset::stride].sum()) for offset in range(stride))
            found.append((total, time.thread_time_ns() - begin_ns))
    return found


def add_apart(work: Work, buffer: Buffer, part: int, core: int) -> int:
    """Add to a worker's stretch of numbers, again and again; return the CPU time."""
    own = part_of(work, buffer, part)
    # In the same strides as in add_beside: only the neighbours differ.
    return add_to(work, [own[offset :: work.workers] for offset in range(work.workers)], core)


def add_beside(work: Work, buffer: Buffer, part: int, core: int) -> int:
    """Do the same with numbers between which lie those of all others."""
    import numpy as np

    return add_to(work, [np.frombuffer(buffer, np.uint64)[part :: work.workers]], core)


def add_to(work: Work, mine: "list[Array]", core: int) -> int:
    """Add to numbers, again and again; return the CPU time."""
    with pinned(core):
        begin_ns = time.thread_time_ns()
        for _ in range(visits(work)):
            for some in mine:
                some += 1
        return time.thread_time_ns() - begin_ns


def everybody(
    work: Work, run: Run, function: Callable[..., Any], buffer: Buffer, name: str = VISITOR
) -> list[Any]:
    """Have every worker do the same with its own part, each on its core."""
    parts = range(work.workers)
    return run([(function, (work, buffer, part, core_of(part))) for part in parts], name)


def per_number_ps(work: Work, times_ns: Sequence[int]) -> int:
    """Return what a visit to one number took, in picoseconds of CPU time."""
    return sum(times_ns) * 1000 // (count(work) * visits(work))


def compute(work: Work, run: Run, buffer: Buffer) -> Result:
    """Do what the variant says with an array."""
    everybody(work, run, fill, buffer, FILLER)
    if work.variant == "stride":
        return in_strides(work, everybody(work, run, stride_through, buffer))
    observed: dict[str, Value] = {}
    if work.variant == "false-sharing":
        for name, function in (("apart-ps", add_apart), ("beside-ps", add_beside)):
            observed[name] = per_number_ps(work, everybody(work, run, function, buffer))
    else:
        observed["near-ps"] = per_number_ps(work, everybody(work, run, visit, buffer))
    if work.variant == "numa":
        parts = range(work.workers)
        away = [(visit, (work, buffer, (p + 1) % work.workers, core_of(p))) for p in parts]
        observed["far-ps"] = per_number_ps(work, run(away, VISITOR))
        nodes = len(cores_by_node())
        alone = "this machine has one node: all of its memory is equally near"
        observed |= {"nodes": nodes, "far": alone if nodes == 1 else "another node's memory"}
    return Result([summary(buffer)], observed)


def in_strides(work: Work, found: list[list[tuple[int, int]]]) -> Result:
    """Put together what the workers added up."""
    records: list[Record] = []
    observed: dict[str, Value] = {}
    for stride, parts in zip(STRIDES, zip(*found, strict=True), strict=True):
        records.append((stride, str(sum(total for total, _ in parts) % 2**64)))
        times_ns = [took_ns for _, took_ns in parts]
        observed[f"stride-{stride}-ps"] = per_number_ps(work, times_ns)
    return Result(records, observed)


def summary(buffer: Buffer) -> Record:
    """Make the record of the whole array."""
    return ("array", hashlib.sha256(buffer).hexdigest())


@WORKLOAD.mode(imports=("numpy",))
def sequential(work: Work) -> Result:
    """One part after the other."""
    import numpy as np

    return compute(work, run_in_turn, np.zeros(count(work), np.uint64))


@WORKLOAD.mode(imports=("numpy",))
def threads(work: Work) -> Result:
    """Threads, each kept on a core."""
    import numpy as np

    return compute(work, run_threads, np.zeros(count(work), np.uint64))


@WORKLOAD.mode(imports=("numpy",))
def processes(work: Work) -> Result:
    """Processes, each kept on a core, which share the memory of the array."""
    return compute(work, run_processes, multiprocessing.RawArray("Q", count(work)))


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Work out in one step what many visits lead to.

    Visited n times, x becomes 3^n·x + (3^n - 1)/2.
    """
    import numpy as np

    numbers = count(work)
    total = FACTOR * (numbers * (numbers - 1) // 2) + numbers * work.seed
    if work.variant == "stride":
        return Result([(stride, str(total % 2**64)) for stride in STRIDES])
    array = np.arange(numbers, dtype=np.uint64) * np.uint64(FACTOR) + np.uint64(work.seed)
    if work.variant == "false-sharing":
        return Result([summary(array + np.uint64(2 * visits(work)))])
    times = visits(work) * (2 if work.variant == "numa" else 1)
    factor, rest = 3**times % 2**64, (3**times - 1) // 2 % 2**64
    return Result([summary(array * np.uint64(factor) + np.uint64(rest))])
