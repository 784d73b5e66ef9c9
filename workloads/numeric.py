"""Number crunching in Python and in libraries: who lets go of the GIL, and what data costs.

Workers prepare data, as if they read it from somewhere, and compute. The variant `numpy` multiplies
matrices with NumPy, which lets go of the GIL meanwhile, so threads use all cores. The variant
`pure` does the same in Python, with smaller matrices, and threads take turns at it. The variant
`hashlib` hashes blocks: in C, without the GIL. Processes use all cores with any of the three. But
often the data is in one place, and processes have to be sent what they work on: in `numpy` one of
them prepares all matrices for the others. Threads would have had them for nothing.

What to look for in the report: cores used by `threads` in the three variants; in `processes` of
the variant `numpy`, how much of the work is packing, sending and unpacking arrays. The fault
`vectorize` weighs the numbers before they are multiplied with `np.vectorize`, which is a loop in
Python by another name. The fault `oversubscription` lets the library under NumPy start a thread for
each core, as it does by itself, but in every process: as they wait for each other, the run takes
many times as long.
"""

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

from ._models import PROCESSES, THREADS, Job, Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Rows = list[list[int]]
"""A matrix in Python."""

WORKLOAD = Workload(
    lessons=("B5", "B14", "B18"),
    default_mode="threads",
    parameters=(
        Parameter(
            "size",
            250,
            "products of matrices, or hashes",
            1,
            1_000_000,
            presets={"tiny": 8, "large": 2500},
        ),
        Parameter(
            "side",
            400,
            "rows of a matrix: an eighth of it in `pure`; 16 kB to hash for each in `hashlib`",
            8,
            10_000,
            presets={"tiny": 16},
        ),
        Parameter("workers", 4, "threads or processes that compute", 1, 256, presets={"tiny": 2}),
        START_METHOD,
    ),
    variants=(
        Variant("numpy", "NumPy multiplies matrices"),
        Variant("pure", "Python multiplies matrices"),
        Variant("hashlib", "OpenSSL hashes blocks"),
    ),
    faults=(
        Fault(
            "vectorize",
            "np.vectorize calls Python for every number of a matrix",
            FaultOutcome.COST,
            variant="numpy",
        ),
        Fault(
            "oversubscription",
            "each process has a thread for each core",
            FaultOutcome.COST,
            modes=("processes",),
            variant="numpy",
        ),
    ),
    expects={
        "threads/pure": ("gil-saturation",),
        "processes/numpy": ("ipc-overhead",),
    },
)

NAME = "cruncher"
PURE_SHARE = 8
BLOCK_BYTES = 1 << 16
BLOCKS_SHARE = 4
"""How much less there is to do in `pure` and `hashlib`, so that an item takes about as long."""
WAITING = 4
"""How many items may wait for a worker: for each of the workers."""


def matrices(work: Work, index: int) -> "tuple[Array, Array]":
    """Return two matrices of whole numbers, whose product is exact in floating point."""
    import numpy as np

    side = work.number("side")
    dice = np.random.default_rng([work.seed, index])
    first, second = dice.integers(0, 10, (2, side, side), np.int8)
    return first.astype(np.float64), second.astype(np.float64)


def rows(work: Work, index: int) -> tuple[Rows, Rows]:
    """Return two smaller matrices as lists."""
    side = max(work.number("side") // PURE_SHARE, 2)
    dice = random.Random(f"{work.seed}:{index}")
    first, second = ([list(dice.randbytes(side)) for _ in range(side)] for _ in range(2))
    return first, second


def block(work: Work, index: int) -> bytes:
    """Return a block to hash."""
    return random.Random(f"{work.seed}:{index}").randbytes(BLOCK_BYTES)


def weight(number: Any) -> Any:
    """Return what stands for a number, or for each of an array, in the first of two matrices."""
    return number * (9 - number)


def multiply_numpy(work: Work, item: "tuple[Array, Array]") -> tuple[int, int]:
    """Return the sum and the trace of a product."""
    import numpy as np

    first, second = item
    # The fault: one call of Python for each number, each of which needs the GIL.
    weigh = np.vectorize(weight) if work.fault == "vectorize" else weight
    product = weigh(first) @ second
    return int(product.sum()), int(product.trace())


def multiply_pure(_work: Work, item: tuple[Rows, Rows]) -> tuple[int, int]:
    """Return the same of smaller matrices, in Python."""
    first, second = item
    columns = list(zip(*second, strict=True))
    weighed = [[weight(number) for number in row] for row in first]
    product = [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in columns]
        for row in weighed
    ]
    return sum(map(sum, product)), sum(product[place][place] for place in range(len(product)))


def hash_block(work: Work, item: bytes) -> str:
    """Hash a block several times over, as if it were a large file."""
    digest = hashlib.sha256()
    for _ in range(max(work.number("side") // BLOCKS_SHARE, 1)):
        digest.update(item)
    return digest.hexdigest()


Prepare = Callable[[Work, int], Any]
Kernel = Callable[[Work, Any], Any]
KERNELS: dict[str, tuple[Prepare, Kernel]] = {
    "numpy": (matrices, multiply_numpy),
    "pure": (rows, multiply_pure),
    "hashlib": (block, hash_block),
}


def record(index: int, found: tuple[int, int] | str) -> Record:
    """Make the record of an item."""
    return (index, found) if isinstance(found, str) else (index, *found)


def crunch(work: Work, part: int) -> list[Record]:
    """Prepare and treat some of the items; the parts are counted from 0."""
    prepare, kernel = KERNELS[work.variant]
    indexes = range(part, work.size, work.workers)
    return [record(index, kernel(work, prepare(work, index))) for index in indexes]


def send(work: Work, post: Any) -> list[Record]:
    """Prepare all items and send them, then an end for every worker."""
    prepare, _ = KERNELS[work.variant]
    for index in range(work.size):
        post.put((index, prepare(work, index)))
    for _ in range(work.workers):
        post.put(None)
    return []


def crunch_sent(work: Work, post: Any) -> list[Record]:
    """Treat what is sent, until there is no more."""
    if work.fault == "oversubscription":
        start_library_threads(len(os.sched_getaffinity(0)))
    _, kernel = KERNELS[work.variant]
    records: list[Record] = []
    while (item := post.get()) is not None:
        index, data = item
        records.append(record(index, kernel(work, data)))
    return records


def start_library_threads(count: int) -> None:
    """Have OpenBLAS, the library that multiplies for NumPy, start threads of its own.

    What the environment variable ``OPENBLAS_NUM_THREADS`` says counts when it is loaded, and a
    forked process has it loaded already.
    """
    import ctypes

    maps = Path("/proc/self/maps").read_text().splitlines()
    for path in sorted({line[line.index("/") :] for line in maps if "openblas" in line}):
        library = ctypes.CDLL(path)
        for name in ("scipy_openblas_set_num_threads64_", "openblas_set_num_threads"):
            if setter := getattr(library, name, None):
                setter(count)
                return
    raise RuntimeError("this NumPy multiplies without OpenBLAS, whose threads the fault is about")


@WORKLOAD.mode(imports=("numpy",))
def sequential(work: Work) -> Result:
    """One item after the other."""
    return Result([one for part in range(work.workers) for one in crunch(work, part)])


@WORKLOAD.mode(imports=("numpy",))
def threads(work: Work) -> Result:
    """Threads, which compute side by side where the GIL is let go of."""
    return share(work, THREADS)


@WORKLOAD.mode(imports=("numpy",))
def processes(work: Work) -> Result:
    """Processes, which are sent what they need where it is in one place."""
    if work.variant != "numpy":
        return share(work, PROCESSES)
    post = PROCESSES.queue(WAITING * work.workers)
    jobs: list[Job] = [(send, (work, post)), *[(crunch_sent, (work, post))] * work.workers]
    return collect(PROCESSES.run(jobs, NAME))


def share(work: Work, model: Model) -> Result:
    """Deal the items out to workers."""
    return collect(model.run([(crunch, (work, part)) for part in range(work.workers)], NAME))


def collect(parts: list[list[Record]]) -> Result:
    """Put together what the workers returned."""
    return Result([one for part in parts for one in part])


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Work out what is asked for without a product; hash everything in one call.

    The sum of a product's numbers is that of the first matrix' column sums times the second's row
    sums; its trace is the sum of the first's numbers times those of the second's transpose.
    """
    import numpy as np

    records: list[Record] = []
    for index in range(work.size):
        if work.variant == "hashlib":
            whole = block(work, index) * max(work.number("side") // BLOCKS_SHARE, 1)
            records.append((index, hashlib.sha256(whole).hexdigest()))
            continue
        prepare, _ = KERNELS[work.variant]
        first, second = (np.array(one, np.int64) for one in prepare(work, index))
        first = 9 * first - first**2
        total = (first.sum(axis=0) * second.sum(axis=1)).sum()
        records.append((index, int(total), int((first * second.T).sum())))
    return Result(records)
