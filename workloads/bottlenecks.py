"""Bottlenecks: the same programs slowed down by the network, by computing, by a disk, or by turns.

A list of tasks is worked off: pages are requested from a server (`page`), Fibonacci numbers are
computed in the slowest way there is (`cpu`), files are written and read again (`disk`), or first
the pages and then the numbers (`mixed`). How long a task took on average stands beside the result.

What it shows: what slows a program down decides what helps. Waits for a server overlap in threads
and coroutines. Computing does not become faster by them, for it needs the GIL; processes help, as
far as there are cores. Whether anything helps at a disk depends on the disk, and on whether it is
one: what was just written is read from memory. The async mode takes for each the tool that fits:
coroutines for pages, a pool of processes for numbers, threads for files.

What to look for in the report: with `page` waits for the network, with `cpu` one thread that runs
and others that wait for the GIL, with `disk` waits for the disk in `write_and_read`; with `mixed`
both halves, one after the other, in the timeline and in the functions `request` and `fibonacci`.

The fault: `wrong-tool` takes processes for the pages and threads for the numbers: processes are
started in order to wait, and threads in order to queue for the GIL.
"""

import asyncio
import hashlib
import os
import random
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

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

from ._models import Job, run_processes, run_threads

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_S = 60.0

WORKLOAD = Workload(
    lessons=("A5", "A6"),
    parameters=(
        Parameter("size", 60, "tasks of each kind", 1, 100_000, presets={"tiny": 6, "large": 400}),
        Parameter("workers", 4, "workers that share them", 1, 256, presets={"tiny": 2}),
        Parameter(
            "latency-ms",
            20,
            "how long the server waits before it answers, and up to half as long again",
            0,
            10_000,
            presets={"tiny": 1},
        ),
        Parameter("fibonacci", 27, "the largest number's index", 3, 40, presets={"tiny": 12}),
        Parameter("file-kb", 3000, "size of a file", 1, 1_000_000, presets={"tiny": 10}),
        START_METHOD,
    ),
    variants=(
        Variant("page", "request pages: bound by waiting for the network"),
        Variant("cpu", "compute numbers: bound by the processor"),
        Variant("mixed", "request pages, then compute numbers"),
        Variant("disk", "write files and read them: bound by the disk, if anything"),
    ),
    faults=(
        Fault(
            "wrong-tool",
            "processes request the pages, and threads compute the numbers",
            FaultOutcome.COST,
            modes=("async",),
            variant="mixed",
        ),
    ),
    expects={
        "sequential/page": ("unoverlapped-io",),
        "threads/cpu": ("gil-saturation",),
    },
)


class Kind(Enum):
    """What a task is about."""

    PAGE = "page"
    NUMBER = "number"
    FILE = "file"


@dataclass(frozen=True)
class Task:
    """One task; ``where`` is the page's URL or the file's path, ``amount`` an index or bytes."""

    kind: Kind
    index: int
    seed: int
    where: str = ""
    amount: int = 0


Done = tuple[Record, float]
"""What a task gives: its record, and how many seconds it took."""


def phases(work: Work, folder: str) -> list[list[Task]]:
    """Make the tasks: one list for each phase of the program."""
    kinds = {
        "page": [Kind.PAGE],
        "cpu": [Kind.NUMBER],
        "mixed": [Kind.PAGE, Kind.NUMBER],
        "disk": [Kind.FILE],
    }
    return [
        [task(work, kind, index, folder) for index in range(work.size)]
        for kind in kinds[work.variant]
    ]


def task(work: Work, kind: Kind, index: int, folder: str) -> Task:
    """Make a task from the seed."""
    if kind is Kind.PAGE:
        return Task(kind, index, work.seed, f"{work.services['site']}/image/{index}.png")
    if kind is Kind.FILE:
        path = Path(folder) / str(index)
        return Task(kind, index, work.seed, str(path), work.number("file-kb") * 1000)
    return Task(kind, index, work.seed, amount=which(work, index))


def which(work: Work, index: int) -> int:
    """Return which Fibonacci number a task computes."""
    highest = work.number("fibonacci")
    return random.Random(f"{work.seed}:{index}").randint(highest - 2, highest)


def do(task: Task) -> Done:
    """Do a task in this thread, and take the time."""
    started = time.perf_counter()
    made = DO[task.kind](task)
    return made, time.perf_counter() - started


def do_all(tasks: list[Task]) -> list[Done]:
    """Do some tasks, one after the other."""
    return [do(task) for task in tasks]


def request(task: Task) -> Record:
    """Request a page, and block until it is there."""
    # A proxy from the environment would stand between us and the server on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(task.where, timeout=TIMEOUT_S) as page:
        return page_record(task.index, page.status, page.read())


def compute(task: Task) -> Record:
    """Compute a Fibonacci number."""
    return (task.kind.value, task.index, fibonacci(task.amount))


def fibonacci(index: int) -> int:
    """Compute a Fibonacci number by its definition, as slowly as can be."""
    return index if index < 2 else fibonacci(index - 1) + fibonacci(index - 2)


def write_and_read(task: Task) -> Record:
    """Write a file through to the disk, read it again, and remove it."""
    path = Path(task.where)
    with path.open("wb") as file:
        file.write(noise(task.seed, task.index, task.amount))
        file.flush()
        os.fsync(file.fileno())
    body = path.read_bytes()
    path.unlink()
    return file_record(task.index, body)


DO = {Kind.PAGE: request, Kind.NUMBER: compute, Kind.FILE: write_and_read}


def noise(seed: int, index: int, length: int) -> bytes:
    """Return what is in a file."""
    return random.Random(f"{seed}:{index}").randbytes(length)


def page_record(index: int, status: int, body: bytes) -> Record:
    """Return what is checked of a page."""
    return (Kind.PAGE.value, index, status, len(body), hashlib.sha256(body).hexdigest())


def file_record(index: int, body: bytes) -> Record:
    """Return what is checked of a file."""
    return (Kind.FILE.value, index, hashlib.sha256(body).hexdigest())


def result(done: list[Done]) -> Result:
    """Put the records together; the times, which differ, stand beside them."""
    mean_ms = sum(seconds for _, seconds in done) / len(done) * 1000
    return Result([record for record, _ in done], {"mean-ms": round(mean_ms, 3)})


def site_of(work: Work) -> Work:
    """Say what the site is made of."""
    from ._site import parameters

    return Work(
        parameters(work, images=work.size, image_kb=5, latency_ms=work.number("latency-ms"))
    )


@WORKLOAD.service
def server(work: Work) -> Iterator[Mapping[str, str]]:
    """Serve pages to the variants that request some."""
    from ._site import served

    if work.variant not in ("page", "mixed"):
        yield {}
        return
    with served(site_of(work)) as address:
        yield {"site": address}


def shares(tasks: list[Task], workers: int) -> list[Job]:
    """Deal tasks out, a list for each worker."""
    return [(do_all, (tasks[start::workers],)) for start in range(workers)]


@WORKLOAD.mode(imports=("urllib.request",))
def sequential(work: Work) -> Result:
    """One task after the other."""
    with tempfile.TemporaryDirectory(prefix="concurtrace-bottlenecks-") as folder:
        return result([done for tasks in phases(work, folder) for done in do_all(tasks)])


@WORKLOAD.mode(imports=("urllib.request",))
def threads(work: Work) -> Result:
    """Threads, each with its share, whatever it is."""
    done: list[Done] = []
    with tempfile.TemporaryDirectory(prefix="concurtrace-bottlenecks-") as folder:
        for tasks in phases(work, folder):
            for part in run_threads(shares(tasks, work.workers), tasks[0].kind.value):
                done += part
    return result(done)


@WORKLOAD.mode(imports=("urllib.request", "multiprocessing"))
def processes(work: Work) -> Result:
    """Processes, each with its share, whatever it is."""
    done: list[Done] = []
    with tempfile.TemporaryDirectory(prefix="concurtrace-bottlenecks-") as folder:
        for tasks in phases(work, folder):
            for part in run_processes(shares(tasks, work.workers), tasks[0].kind.value):
                done += part
    return result(done)


@WORKLOAD.mode(imports=("aiohttp", "urllib.request", "concurrent.futures.process"))
def async_(work: Work) -> Result:
    """Coroutines for pages, a pool of processes for numbers, a pool of threads for files."""
    with tempfile.TemporaryDirectory(prefix="concurtrace-bottlenecks-") as folder:
        return result(asyncio.run(await_phases(work, folder)))


async def await_phases(work: Work, folder: str) -> list[Done]:
    """Work off one phase after the other, each by the tool that fits, or by the wrong one."""
    done: list[Done] = []
    for tasks in phases(work, folder):
        kind = tasks[0].kind
        if work.fault == "wrong-tool":
            done += await hand_over(wrong_pool(kind, work.workers), tasks)
        elif kind is Kind.PAGE:
            done += await request_together(tasks, work.workers)
        elif kind is Kind.NUMBER:
            done += await hand_over(ProcessPoolExecutor(work.workers), tasks)
        else:
            done += await hand_over(ThreadPoolExecutor(work.workers, "worker"), tasks)
    return done


def wrong_pool(kind: Kind, workers: int) -> Executor:
    """Take processes for what waits, and threads for what computes."""
    if kind is Kind.PAGE:
        return ProcessPoolExecutor(workers)
    return ThreadPoolExecutor(workers, "worker")


async def hand_over(pool: Executor, tasks: list[Task]) -> list[Done]:
    """Hand tasks to a pool and await them; the loop is free meanwhile."""
    loop = asyncio.get_running_loop()
    with pool:
        return await asyncio.gather(*(loop.run_in_executor(pool, do, task) for task in tasks))


async def request_together(tasks: list[Task], at_once: int) -> list[Done]:
    """Request pages, so many at once."""
    import aiohttp

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=at_once),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
    ) as session:
        return await asyncio.gather(*(request_async(session, task) for task in tasks))


async def request_async(session: "aiohttp.ClientSession", task: Task) -> Done:
    """Request a page; let others go on meanwhile."""
    started = time.perf_counter()
    async with session.get(task.where) as answer:
        made = page_record(task.index, answer.status, await answer.read())
    return made, time.perf_counter() - started


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Take pages from the site's specification, numbers from a faster way, files from memory."""
    from ._site.specification import Site

    indexes = range(work.size)
    records: list[Record] = []
    if work.variant in ("page", "mixed"):
        site = Site(site_of(work))
        images = [site.resource(f"/image/{index}.png") for index in indexes]
        records += [page_record(at, one.status, one.body) for at, one in enumerate(images) if one]
    if work.variant in ("cpu", "mixed"):
        numbers = [fibonacci_pair(which(work, index))[0] for index in indexes]
        records += [(Kind.NUMBER.value, index, number) for index, number in enumerate(numbers)]
    if work.variant == "disk":
        length = work.number("file-kb") * 1000
        records += [file_record(index, noise(work.seed, index, length)) for index in indexes]
    return Result(records)


def fibonacci_pair(index: int) -> tuple[int, int]:
    """Return a Fibonacci number and the next one, by doubling the index: F(2k), F(2k+1)."""
    if index == 0:
        return 0, 1
    this, following = fibonacci_pair(index // 2)
    even = this * (2 * following - this)
    odd = this * this + following * following
    return (odd, even + odd) if index % 2 else (even, odd)
