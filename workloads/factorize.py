"""Prime factorisation of a list of numbers: pure computation.

What it shows: threads take turns at the GIL, so they bring nothing for computing; processes use
the cores. What to look for in the report: the time of `factorize` in every mode, the cores used
(about one for threads, as many as there are for processes), and what starting processes costs.
"""

import asyncio
import multiprocessing
import random
import threading
from concurrent.futures import ProcessPoolExecutor

from concurtrace.workload import Parameter, Record, Result, Work, Workload

WORKLOAD = Workload(
    lessons=("A1", "A2", "A4", "A6", "A10", "A28", "B14"),
    parameters=(
        Parameter("size", 1500, "numbers to factorise", 1, 1_000_000,
                  presets={"tiny": 40, "large": 10_000}),
        Parameter("workers", 4, "threads or processes that share them", 1, 256),
        Parameter("start-method", "fork", "how processes are started",
                  choices=("fork", "spawn", "forkserver")),
    ),
)


def numbers(work: Work) -> list[int]:
    """Generate the numbers: products of two primes or so, near 10^8, each from its own seed."""
    return [
        random.Random(f"{work.seed}:{index}").randrange(90_000_000, 100_000_000) | 1
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
    records: list[Record] = []

    def fill(chunk: list[int]) -> None:
        # list.extend of a finished list is one step under the GIL; the result is built first.
        records.extend(factorize_all(chunk))

    workers = [threading.Thread(target=fill, args=(chunk,)) for chunk in chunks(work)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return Result(records)


def _send_factors(chunk: list[int], results: "multiprocessing.SimpleQueue[list[Record]]") -> None:
    results.put(factorize_all(chunk))


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """One process per chunk; results come back through a queue."""
    results: multiprocessing.SimpleQueue[list[Record]] = multiprocessing.SimpleQueue()
    workers = [
        multiprocessing.Process(target=_send_factors, args=(chunk, results))
        for chunk in chunks(work)
    ]
    for worker in workers:
        worker.start()
    records = [record for _ in workers for record in results.get()]
    for worker in workers:
        worker.join()
    return Result(records)


@WORKLOAD.mode(imports=("asyncio",))
def async_(work: Work) -> Result:
    """One coroutine that hands the chunks to a process pool and awaits them."""

    async def main() -> list[Record]:
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(work.workers) as pool:
            jobs = [loop.run_in_executor(pool, factorize_all, chunk) for chunk in chunks(work)]
            return [record for part in await asyncio.gather(*jobs) for record in part]

    return Result(asyncio.run(main()))
