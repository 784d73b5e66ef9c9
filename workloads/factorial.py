"""Factorials of large numbers: what a single long call into C does to all other threads.

Several factorials are computed, each a number of some hundred thousand digits. The variant
`builtin` leaves each to `math.factorial`: one call into C that holds the GIL from beginning to end,
because the interpreter can only ask for it back between two bytecodes. The variant `loop`
multiplies in Python: the same kind of work, in thousands of short calls (and for a quarter of the
number, which takes about as long). Threads gain nothing in either; processes use the cores.

What to look for in the report: `threads` waiting for the GIL, for the length of a whole factorial
where the switch interval is 5 ms; cores used, and how evenly the threads got their turns, in
`loop` beside `builtin`. A result crosses from process to process quickly, however long it is, if it
does so once: the fault `pickle-result` sends every tenth product on the way to it as well, and then
packing and unpacking takes longer than multiplying.
"""

import hashlib
import math
import random
from collections.abc import Iterable, Iterator
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

from ._models import PROCESSES, THREADS, Job, Model

WORKLOAD = Workload(
    lessons=("A6", "B2", "B15"),
    default_mode="threads",
    parameters=(
        Parameter("size", 24, "factorials", 1, 100_000, presets={"tiny": 4, "large": 200}),
        Parameter(
            "number",
            60_000,
            "of which numbers: from this to a tenth above it",
            8,
            10_000_000,
            presets={"tiny": 3000, "large": 100_000},
        ),
        Parameter("workers", 4, "threads or processes", 1, 256, presets={"tiny": 2}),
        START_METHOD,
    ),
    variants=(
        Variant("builtin", "each is one call of math.factorial"),
        Variant("loop", "each is a loop of multiplications"),
    ),
    faults=(
        Fault(
            "pickle-result",
            "every tenth product is sent to another process, not only what follows from the last",
            FaultOutcome.COST,
            modes=("processes",),
            variant="loop",
        ),
    ),
    expects={"threads/builtin": ("long-gil-hold",), "threads/loop": ("gil-saturation",)},
)

NAME = "multiplier"
STEP = 10
"""How many multiplications lie between two products that the fault sends."""
WAITING = 8
"""How many of them may wait to be received."""


def number(work: Work, index: int) -> int:
    """Return the number whose factorial is wanted."""
    about = work.number("number") // (4 if work.variant == "loop" else 1)
    return about + random.Random(f"{work.seed}:{index}").randrange(about // 10 + 1)


def products(until: int) -> Iterator[int]:
    """Yield the products 1, 1·2, 1·2·3 … until the factorial."""
    product = 1
    for factor in range(1, until + 1):
        product *= factor
        yield product


def multiply(until: int) -> int:
    """Return a factorial by a loop of multiplications."""
    product = 1
    for factor in range(2, until + 1):
        product *= factor
    return product


def summary(index: int, until: int, factorial: int) -> Record:
    """Return what is kept of a factorial: how many decimal digits it has, and a hash."""
    whole = factorial.to_bytes(factorial.bit_length() // 8 + 1, "little")
    return (index, until, int(math.log10(factorial)) + 1, hashlib.sha256(whole).hexdigest())


def compute(work: Work, indexes: Iterable[int]) -> list[Record]:
    """Compute some of the factorials: what each worker does."""
    way = multiply if work.variant == "loop" else math.factorial
    wanted = ((index, number(work, index)) for index in indexes)
    return [summary(index, until, way(until)) for index, until in wanted]


def share(work: Work, model: Model) -> Result:
    """Deal the factorials out to workers."""
    jobs: list[Job] = [
        (compute, (work, range(first, work.size, work.workers))) for first in range(work.workers)
    ]
    return Result([record for part in model.run(jobs, NAME) for record in part])


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One after the other."""
    return Result(compute(work, range(work.size)))


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads that take turns at the GIL, each turn as long as a call."""
    return share(work, THREADS)


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Processes that send what is kept of each factorial."""
    if work.fault == "pickle-result":
        return send_products(work)
    return share(work, PROCESSES)


def send_products(work: Work) -> Result:
    """Have another process receive what the workers come across."""
    post = PROCESSES.queue(WAITING)
    jobs: list[Job] = [(receive, (work, post))]
    jobs += [
        (send, (work, range(first, work.size, work.workers), post)) for first in range(work.workers)
    ]
    records: list[Record] = PROCESSES.run(jobs, NAME)[0]
    return Result(records)


def send(work: Work, indexes: Iterable[int], post: Any) -> None:
    """Send products on the way to each factorial, and the factorial itself."""
    for index in indexes:
        until = number(work, index)
        for factor, product in enumerate(products(until), 1):
            if factor % STEP == 0 or factor == until:
                post.put((index, factor, product))


def receive(work: Work, post: Any) -> list[Record]:
    """Unpack all that is sent, and keep something of the factorials."""
    records: list[Record] = []
    while len(records) < work.size:
        index, factor, product = post.get()
        if factor == number(work, index):
            records.append(summary(index, factor, product))
    return records


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Raise each prime to its power in the factorial, and count digits by the gamma function.

    The power is Legendre's: a prime p divides n! as often as n/p + n/p² + … says, rounded down.
    """
    wanted = [(index, number(work, index)) for index in range(work.size)]
    primes = _primes(max(until for _, until in wanted))
    records: list[Record] = []
    for index, until in wanted:
        powers = [prime ** _exponent(prime, until) for prime in primes if prime <= until]
        while len(powers) > 1:
            # Numbers of about the same length multiply fastest.
            powers = [math.prod(powers[at : at + 2]) for at in range(0, len(powers), 2)]
        digits = int(math.lgamma(until + 1) / math.log(10)) + 1
        records.append((index, until, digits, _hash(powers[0])))
    return Result(records)


def _hash(factorial: int) -> str:
    text = f"{factorial:x}"
    whole = bytes.fromhex(text.zfill((factorial.bit_length() // 8 + 1) * 2))
    return hashlib.sha256(whole[::-1]).hexdigest()


def _primes(most: int) -> list[int]:
    sieve = bytearray([1]) * (most + 1)
    for candidate in range(2, math.isqrt(most) + 1):
        if sieve[candidate]:
            sieve[candidate * candidate :: candidate] = bytes(len(sieve[candidate**2 :: candidate]))
    return [one for one in range(2, most + 1) if sieve[one]]


def _exponent(prime: int, until: int) -> int:
    exponent = 0
    while until:
        until //= prime
        exponent += until
    return exponent
