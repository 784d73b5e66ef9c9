"""Prime factorisation of a list of numbers: pure computation.

What it shows: threads take turns at the GIL, so they bring nothing for computing; processes use
the cores. The variant `isprime` asks only whether each number is prime. The pools of processes
(`pool`, `executor-processes`) hand out `chunksize` numbers at a time: one at a time is more
carrying than computing, all at once leaves nothing to hand out. A coroutine that computes would
block its event loop, so the async mode hands the work to processes; gevent has a pool of threads
for that, which keeps its loop alive, but computes no faster.

What to look for in the report: the time of `factorize` in every mode, the cores used (about one
for threads, as many as there are for processes), and what starting processes costs. With few
numbers (`size`) that cost is more than processes save. The fault `cpu-in-loop` computes in the
event loop itself: beside it, a heartbeat tells how long the loop had no turn. The fault `slow-down`
makes the interpreter change threads every microsecond: more switches, and the run takes longer.
"""

import asyncio
import contextlib
import math
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

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

from ._models import GEVENT, PROCESSES, THREADS, Job

WORKLOAD = Workload(
    lessons=("A1", "A2", "A4", "A6", "A10", "A28", "B14"),
    parameters=(
        Parameter(
            "size",
            10_000,
            "numbers to factorise",
            1,
            1_000_000,
            presets={"tiny": 200, "large": 60_000},
        ),
        Parameter(
            "workers", 4, "threads or processes that share them", 1, 256, presets={"tiny": 2}
        ),
        Parameter(
            "chunksize",
            250,
            "numbers that a pool hands out together",
            1,
            1_000_000,
            presets={"tiny": 25},
        ),
        START_METHOD,
    ),
    variants=(
        Variant("factors", "find the prime factors of each number"),
        Variant("isprime", "find out which numbers are prime"),
    ),
    faults=(
        Fault(
            "cpu-in-loop",
            "the event loop computes, and nothing else has its turn meanwhile",
            FaultOutcome.COST,
            modes=("async", "gevent"),
        ),
        Fault(
            "slow-down",
            "threads are changed every microsecond",
            FaultOutcome.COST,
            modes=("threads",),
        ),
    ),
    expects={
        "threads": ("gil-saturation",),
        "executor": ("gil-saturation",),
        # The loop's thread comes back from each heartbeat's wait behind those that compute.
        "gevent": ("gil-convoy",),
    },
)

NAME = "factorizer"
HEARTBEAT_S = 0.002
"""How often the heartbeat beside an event loop's work wants to beat."""


def numbers(work: Work) -> list[int]:
    """Generate the numbers: odd, somewhat below 10^9, each from a seed of its own."""
    return [
        random.Random(f"{work.seed}:{index}").randrange(900_000_001, 1_000_000_000, 2)
        for index in range(work.size)
    ]


def factorize(number: int) -> list[int]:
    """Return the prime factors of a number, smallest first, by trial division."""
    factors = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1 if divisor == 2 else 2
    if number > 1:
        factors.append(number)
    return factors


def is_prime(number: int) -> bool:
    """Tell whether an odd number above 1 is prime, by trial division."""
    return all(number % divisor for divisor in range(3, math.isqrt(number) + 1, 2))


def factors_of(number: int) -> Record:
    """Make the record of one number in the variant `factors`."""
    return (number, *factorize(number))


def primality_of(number: int) -> Record:
    """Make the record of one number in the variant `isprime`."""
    return (number, int(is_prime(number)))


KERNELS: dict[str, Callable[[int], Record]] = {"factors": factors_of, "isprime": primality_of}


def solve(kernel: str, chunk: Iterable[int]) -> list[Record]:
    """Treat some numbers: what each worker is given."""
    return [KERNELS[kernel](number) for number in chunk]


def chunks(work: Work) -> list[list[int]]:
    """Deal the numbers out, one chunk per worker."""
    everything = numbers(work)
    return [everything[start :: work.workers] for start in range(work.workers)]


def pieces(work: Work) -> list[list[int]]:
    """Cut the numbers into pieces of ``chunksize``, as a pool does."""
    everything, each = numbers(work), work.number("chunksize")
    return [everything[start : start + each] for start in range(0, work.size, each)]


def flat(parts: Iterable[list[Record]]) -> list[Record]:
    """Put the results of the workers together."""
    return [record for part in parts for record in part]


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One number after the other."""
    return Result(solve(work.variant, numbers(work)))


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """One thread per chunk."""
    before = _switches()
    with _switching_every(1e-6 if work.fault == "slow-down" else sys.getswitchinterval()):
        parts = THREADS.run([(solve, (work.variant, chunk)) for chunk in chunks(work)], NAME)
    return Result(flat(parts), {"switches": _switches() - before})


@contextlib.contextmanager
def _switching_every(interval_s: float) -> Iterator[None]:
    """Have the interpreter ask for a change of threads so often during a block."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(interval_s)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _switches() -> int:
    """Count how often the threads of this process left a core, by themselves or not."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_nvcsw + used.ru_nivcsw


@WORKLOAD.mode(imports=("concurrent.futures.thread",))
def executor(work: Work) -> Result:
    """A pool of threads that take the next piece whenever they are done with one."""
    with ThreadPoolExecutor(work.workers, NAME) as crew:
        return Result(flat(crew.map(partial(solve, work.variant), pieces(work))))


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """One process per chunk, each with a pipe for its results."""
    jobs: list[Job] = [(solve, (work.variant, chunk)) for chunk in chunks(work)]
    return Result(flat(PROCESSES.run(jobs, NAME)))


@WORKLOAD.mode(imports=("concurrent.futures.process",))
def executor_processes(work: Work) -> Result:
    """An executor of processes: numbers in, records out, in the order of the numbers."""
    with ProcessPoolExecutor(work.workers) as crew:
        kernel = KERNELS[work.variant]
        return Result(list(crew.map(kernel, numbers(work), chunksize=work.number("chunksize"))))


@WORKLOAD.mode(imports=("multiprocessing.pool",))
def pool(work: Work) -> Result:
    """A pool of processes that are handed a chunk whenever they are done with one."""
    with multiprocessing.Pool(work.workers) as crew:
        records = crew.map(KERNELS[work.variant], numbers(work), work.number("chunksize"))
        crew.close()
        crew.join()
    return Result(records)


@dataclass
class Pulse:
    """Beats beside the work of an event loop: how often, and the longest time between two."""

    beats: int = 0
    last_ns: int = 0
    longest_ns: int = 0

    def beat(self) -> None:
        """Note that the loop had its turn."""
        now = time.monotonic_ns()
        self.longest_ns = max(self.longest_ns, now - (self.last_ns or now))
        self.beats, self.last_ns = self.beats + 1, now

    def result(self, parts: Iterable[list[Record]]) -> Result:
        """Return what the loop's work gave, and what became of the beats until now."""
        self.beat()
        return Result(flat(parts), {"heartbeats": self.beats, "longest-gap-ns": self.longest_ns})


@WORKLOAD.mode(imports=("asyncio", "concurrent.futures.process"))
def async_(work: Work) -> Result:
    """One coroutine that hands the chunks to a pool of processes and awaits them."""
    return asyncio.run(_solve_beside_heart(work))


async def _solve_beside_heart(work: Work) -> Result:
    pulse = Pulse()
    heart = asyncio.create_task(_beat_soon(pulse), name="heartbeat")
    if work.fault == "cpu-in-loop":
        jobs = [_solve_in_loop(work.variant, chunk) for chunk in chunks(work)]
        parts = await asyncio.gather(*jobs)
    else:
        parts = await _await_processes(work)
    heart.cancel()
    return pulse.result(parts)


async def _beat_soon(pulse: Pulse) -> None:
    while True:
        pulse.beat()
        await asyncio.sleep(HEARTBEAT_S)


async def _solve_in_loop(kernel: str, chunk: list[int]) -> list[Record]:
    # The fault: there is no await in here, so nothing else has its turn until it is done.
    return solve(kernel, chunk)


async def _await_processes(work: Work) -> list[list[Record]]:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(work.workers) as crew:
        jobs = [loop.run_in_executor(crew, solve, work.variant, chunk) for chunk in chunks(work)]
        return await asyncio.gather(*jobs)


@WORKLOAD.mode(imports=("gevent", "gevent.threadpool"), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """Greenlets that hand the chunks to real threads, so that their loop stays alive."""
    from gevent import spawn
    from gevent.pool import Group
    from gevent.threadpool import ThreadPool

    pulse = Pulse()
    heart = spawn(_beat_in_greenlet, pulse)
    try:
        if work.fault == "cpu-in-loop":
            return pulse.result(Group().map(partial(solve, work.variant), chunks(work)))
        crew = ThreadPool(work.workers)
        try:
            return pulse.result(crew.map(partial(solve, work.variant), chunks(work)))
        finally:
            crew.kill()
    finally:
        heart.kill()


def _beat_in_greenlet(pulse: Pulse) -> None:
    from gevent import sleep

    while True:
        pulse.beat()
        sleep(HEARTBEAT_S)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Find the factors by Pollard's rho and check each for primality by Miller and Rabin's test."""
    if work.variant == "isprime":
        return Result([(number, int(_is_prime(number))) for number in numbers(work)])
    return Result([(number, *sorted(_prime_factors(number))) for number in numbers(work)])


def _prime_factors(number: int) -> list[int]:
    if number == 1:
        return []
    if _is_prime(number):
        return [number]
    divisor = _divisor(number)
    return _prime_factors(divisor) + _prime_factors(number // divisor)


def _is_prime(number: int) -> bool:
    """Miller and Rabin's test with bases that leave no doubt below 3 215 031 751.

    Source: G. Jaeschke, On strong pseudoprimes to several bases, 1993.
    """
    bases = (2, 3, 5, 7)
    if number < 2 or any(number % base == 0 for base in bases):
        return number in bases
    twos = ((number - 1) & -(number - 1)).bit_length() - 1
    odd = (number - 1) >> twos
    for base in bases:
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        if all((power := power * power % number) != number - 1 for _ in range(twos - 1)):
            return False
    return True


def _divisor(composite: int) -> int:
    """Pollard's rho: two walks of different pace meet modulo a factor before they do otherwise."""
    if composite % 2 == 0:
        return 2
    for step in range(1, composite):
        slow = fast = 2
        found = 1
        while found == 1:
            slow = (slow * slow + step) % composite
            fast = (fast * fast + step) % composite
            fast = (fast * fast + step) % composite
            found = math.gcd(slow - fast, composite)
        if found != composite:
            return found
    raise ArithmeticError(f"{composite} is no composite number")
