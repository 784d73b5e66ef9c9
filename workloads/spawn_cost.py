"""What it costs to start something: a thread, a process, a task, a greenlet, or a place in a pool.

Every mode gets the same small answers, each from something that was started for it alone, one
after the other: what is measured is the start, not the work. A thread costs about a tenth of a
millisecond, a forked process some milliseconds, one from a fork server some ten, a spawned one,
which imports everything again, some fifty. A task or a greenlet costs next to nothing, because the
operating system has no part in it. A pool pays once and is then asked again and again.

What to look for in the report: the time until each process runs its first line, as a share of the
whole run. Then change how processes are started (`--start-method spawn`), and compare with the mode
`pool`. The fault `pool-per-call` shows what is gained by keeping a pool: it makes one per answer.
"""

import asyncio
import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

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

from ._models import GEVENT

WORKLOAD = Workload(
    lessons=("A2", "A11", "B1"),
    default_mode="processes",
    parameters=(
        Parameter(
            "size",
            150,
            "answers, each from something started for it",
            1,
            100_000,
            presets={"tiny": 6, "large": 1000},
        ),
        Parameter("workers", 4, "threads or processes in a pool", 1, 256, presets={"tiny": 2}),
        START_METHOD,
    ),
    faults=(
        Fault(
            "pool-per-call",
            "a new pool for every answer",
            FaultOutcome.COST,
            modes=("pool", "executor"),
        ),
    ),
    expects={"processes": ("spawn-cost",), "threads": ("thread-churn",)},
)


def answer(seed: int, index: int) -> int:
    """Give the answer for one index: next to no work."""
    return random.Random(f"{seed}:{index}").getrandbits(32)


def ask(work: Work, start: Callable[[int, int], int]) -> Result:
    """Get every answer by ``start(seed, index)``, one after the other, and see what one takes."""
    begin_ns = time.monotonic_ns()
    records: list[Record] = [(index, start(work.seed, index)) for index in range(work.size)]
    each_ns = (time.monotonic_ns() - begin_ns) // work.size
    return Result(records, {"ns-per-start": each_ns})


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """A thread for each answer."""
    return ask(work, answer_in_thread)


def answer_in_thread(seed: int, index: int) -> int:
    """Start a thread, wait for it, and take what it left."""
    answers: list[int] = []
    thread = threading.Thread(
        target=lambda: answers.append(answer(seed, index)), name=f"answer-{index}"
    )
    thread.start()
    thread.join()
    return answers[0]


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """A process for each answer: forked, spawned or from a fork server (`start-method`)."""
    return ask(work, answer_in_process)


def answer_in_process(seed: int, index: int) -> int:
    """Start a process, wait for it, and take what came through its pipe."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(
        target=send_answer, args=(theirs, seed, index), name=f"answer-{index}"
    )
    process.start()
    # Only the process may hold this end now, or its death would not end our recv().
    theirs.close()
    with ours:
        received: int = ours.recv()
    process.join()
    return received


def send_answer(pipe: Connection, seed: int, index: int) -> None:
    """Send one answer: all that the process does."""
    with pipe:
        pipe.send(answer(seed, index))


@WORKLOAD.mode(imports=("multiprocessing.pool",))
def pool(work: Work) -> Result:
    """One pool of processes that is asked for every answer."""
    if work.fault == "pool-per-call":
        return ask(work, lambda seed, index: answer_in_new_pool(work.workers, seed, index))
    with multiprocessing.Pool(work.workers) as crew:
        result = ask(work, lambda seed, index: crew.apply(answer, (seed, index)))
        crew.close()
        crew.join()
    return result


def answer_in_new_pool(workers: int, seed: int, index: int) -> int:
    """Start a whole pool for one answer, and see it off again."""
    with multiprocessing.Pool(workers) as crew:
        received = crew.apply(answer, (seed, index))
        crew.close()
        crew.join()
    return received


@WORKLOAD.mode(imports=("concurrent.futures.thread",))
def executor(work: Work) -> Result:
    """One pool of threads that is asked for every answer."""
    if work.fault == "pool-per-call":
        return ask(work, lambda seed, index: answer_in_new_executor(work.workers, seed, index))
    with ThreadPoolExecutor(work.workers) as crew:
        return ask(work, lambda seed, index: crew.submit(answer, seed, index).result())


def answer_in_new_executor(workers: int, seed: int, index: int) -> int:
    """Start an executor and all its threads for one answer."""
    everybody = threading.Barrier(workers + 1)
    with ThreadPoolExecutor(workers) as crew:
        # It starts a thread only when all others are busy, so keep each busy until all are there.
        for _ in range(workers):
            crew.submit(everybody.wait)
        everybody.wait()
        return crew.submit(answer, seed, index).result()


@WORKLOAD.mode(imports=("asyncio",))
def async_(work: Work) -> Result:
    """A task for each answer, in one event loop."""
    with asyncio.Runner() as runner:
        return runner.run(ask_tasks(work))


async def ask_tasks(work: Work) -> Result:
    """Start a task, await it, and start the next."""
    begin_ns = time.monotonic_ns()
    records: list[Record] = [
        (index, await asyncio.create_task(answer_soon(work.seed, index)))
        for index in range(work.size)
    ]
    return Result(records, {"ns-per-start": (time.monotonic_ns() - begin_ns) // work.size})


async def answer_soon(seed: int, index: int) -> int:
    """Give the answer from a coroutine."""
    return answer(seed, index)


@WORKLOAD.mode(imports=("gevent",), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """A greenlet for each answer."""
    from gevent import spawn

    return ask(work, lambda seed, index: spawn(answer, seed, index).get())


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Give every answer without starting anything."""
    return Result([(index, answer(work.seed, index)) for index in range(work.size)])
