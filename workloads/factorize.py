"""Prime factorisation of a list of numbers: pure computation.

What it shows: threads take turns at the GIL, so they bring nothing for computing; processes use
the cores. A coroutine that computes would block its event loop, so the async mode hands the work
to an executor of processes.

What to look for in the report: the time of `factorize` in every mode, the cores used (about one
for threads, as many as there are for processes), and what starting processes costs. With few
numbers (`size`) that cost is more than processes save.
"""

import asyncio
import math
import multiprocessing
import random
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection

from concurtrace.workload import START_METHOD, Parameter, Record, Result, Work, Workload

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
        START_METHOD,
    ),
    expects={"threads": ("gil-saturation",)},
)


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


def factorize_all(chunk: list[int]) -> list[Record]:
    """Factorise a list: what each worker is given."""
    return [(number, *factorize(number)) for number in chunk]


def chunks(work: Work) -> list[list[int]]:
    """Deal the numbers out, one chunk per worker."""
    everything = numbers(work)
    return [everything[start :: work.workers] for start in range(work.workers)]


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One number after the other."""
    return Result(factorize_all(numbers(work)))


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """One thread per chunk."""
    parts: list[list[Record]] = []
    workers = [
        threading.Thread(target=_factorize_into, args=(parts, chunk), name=f"factorizer-{number}")
        for number, chunk in enumerate(chunks(work), 1)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return Result([record for part in parts for record in part])


def _factorize_into(parts: list[list[Record]], chunk: list[int]) -> None:
    # No lock: list.append is a single step, whichever thread takes it.
    parts.append(factorize_all(chunk))


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """One process per chunk, each with a pipe for its results."""
    workers, ends = [], []
    for number, chunk in enumerate(chunks(work), 1):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        worker = multiprocessing.Process(
            target=_send_factors, args=(theirs, chunk), name=f"factorizer-{number}"
        )
        worker.start()
        # Only the worker may hold this end now, or its death would not end our recv().
        theirs.close()
        workers.append(worker)
        ends.append(ours)
    records: list[Record] = []
    for worker, end in zip(workers, ends, strict=True):
        with end:
            records += _receive(end, worker)
    for worker in workers:
        worker.join()
    return Result(records)


def _send_factors(end: Connection, chunk: list[int]) -> None:
    with end:
        end.send(factorize_all(chunk))


def _receive(end: Connection, worker: multiprocessing.Process) -> list[Record]:
    try:
        part: list[Record] = end.recv()
    except EOFError:
        worker.join()
        raise ChildProcessError(
            f"{worker.name} ended without a result, exit code {worker.exitcode}"
        ) from None
    return part


@WORKLOAD.mode(imports=("asyncio", "concurrent.futures.process"))
def async_(work: Work) -> Result:
    """One coroutine that hands the chunks to a pool of processes and awaits them."""
    return Result(asyncio.run(_await_factors(work)))


async def _await_factors(work: Work) -> list[Record]:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(work.workers) as pool:
        jobs = [loop.run_in_executor(pool, factorize_all, chunk) for chunk in chunks(work)]
        return [record for part in await asyncio.gather(*jobs) for record in part]


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Find the factors by Pollard's rho and check each for primality by Miller and Rabin's test."""
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
