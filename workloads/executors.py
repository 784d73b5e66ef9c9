"""Executors: a fixed number of workers, a queue before them, and a future for each piece of work.

Every task waits for a while, as if for an answer from somewhere, and computes a number. The
executor has threads or processes; it is left through a `with` block (`context`), shut down by hand
when all results are there (`manual`), or told at once that nothing more will come, while it still
works on what it has (`shutdown`).

What to look for in the report: the workers by name and what they did, and the time that tasks spent
in the queue before one of them was free. Since the tasks wait more than they compute, more workers
help for a long time (`--workers 16`), in threads as in processes; what differs is the cost of the
start, and of carrying task and result from one process to the other.

The faults: `submit-after-shutdown` brings work when the doors are closed. `nested-submit` lets
every worker wait for a task that none is left to do. `no-shutdown` forgets the workers: they stay
idle until the program ends, and keep it alive until they are done.
"""

import multiprocessing
import os
import random
import threading
import time
from concurrent.futures import (
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)

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

WORKLOAD = Workload(
    lessons=("A25", "A28", "A32"),
    parameters=(
        Parameter("size", 200, "tasks", 1, 1_000_000, presets={"tiny": 12, "large": 2000}),
        Parameter(
            "workers", 4, "threads or processes of the executor", 1, 256, presets={"tiny": 2}
        ),
        Parameter(
            "task-ms",
            20,
            "how long a task waits, up to half as long again",
            0,
            60_000,
            presets={"tiny": 2},
        ),
        START_METHOD,
    ),
    variants=(
        Variant("context", "a with block that waits for everything at its end"),
        Variant("manual", "shut down by hand, when all results are there"),
        Variant("shutdown", "shut down at once, without waiting; what was submitted is still done"),
    ),
    faults=(
        Fault(
            "submit-after-shutdown",
            "work is brought to an executor that was shut down",
            FaultOutcome.EXCEPTION,
        ),
        Fault(
            "nested-submit",
            "every worker waits for a task in the queue behind it",
            FaultOutcome.HANG,
            modes=("executor",),
        ),
        Fault(
            "no-shutdown",
            "nobody tells the workers that nothing more will come",
            FaultOutcome.COST,
            variant="manual",
        ),
    ),
    expects={"executor": ("small-pool",), "executor-processes": ("small-pool",)},
)

forgotten: list[Executor] = []
"""What keeps the executor of the fault `no-shutdown` from being collected."""


def answer(seed: int, index: int, task_ms: int) -> tuple[int, int, str]:
    """Wait and compute: what each task does. Return index, number and who did it."""
    generator = random.Random(f"{seed}:{index}")
    time.sleep(task_ms * (1 + generator.random() / 2) / 1000)
    worker = f"{os.getpid()} {threading.current_thread().name}"
    return index, generator.getrandbits(32), worker


def submit_all(crew: Executor, work: Work) -> list["Future[tuple[int, int, str]]"]:
    """Bring every task to the executor."""
    task_ms = work.number("task-ms")
    return [crew.submit(answer, work.seed, index, task_ms) for index in range(work.size)]


def collect(tasks: list["Future[tuple[int, int, str]]"]) -> Result:
    """Take the results as they come."""
    done = [task.result() for task in as_completed(tasks)]
    records: list[Record] = [(index, number) for index, number, _ in done]
    return Result(records, {"workers-seen": len({worker for _, _, worker in done})})


def use(crew: Executor, work: Work) -> Result:
    """Bring the tasks, take the results, and leave the executor as the variant has it."""
    if work.fault == "submit-after-shutdown":
        crew.shutdown()
    if work.variant == "context":
        with crew:
            return collect(submit_all(crew, work))
    if work.variant == "shutdown":
        return collect_after_shutdown(crew, work)
    try:
        result = collect(submit_all(crew, work))
    finally:
        if work.fault == "no-shutdown":
            forgotten.append(crew)
        else:
            crew.shutdown()
    return count_idle(result)


def collect_after_shutdown(crew: Executor, work: Work) -> Result:
    """Shut down at once, then take the results, then see the workers off after all.

    The next program would not do the last; here the next run is to begin as this one did.
    """
    before = set(threading.enumerate())
    tasks = submit_all(crew, work)
    crew.shutdown(wait=False)
    result = collect(tasks)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    for process in multiprocessing.active_children():
        process.join()
    return result


def count_idle(result: Result) -> Result:
    """Add how many threads or processes are still there, with nothing to do."""
    idle = len(multiprocessing.active_children())
    idle += sum(thread.name.startswith("worker") for thread in threading.enumerate())
    return Result(result.records, {**result.observed, "idle-workers": idle})


@WORKLOAD.mode(imports=("concurrent.futures.thread",))
def executor(work: Work) -> Result:
    """Threads: they wait at the same time, and compute one at a time."""
    crew = ThreadPoolExecutor(work.workers, thread_name_prefix="worker")
    if work.fault == "nested-submit":
        submit_nested(crew, work)
    return use(crew, work)


def submit_nested(crew: ThreadPoolExecutor, work: Work) -> None:
    """Let each worker bring a task to its own executor, and wait for it."""
    everybody = threading.Barrier(work.workers)

    def ask_the_next() -> tuple[int, int, str]:
        # When all workers are here, none is left for what they are about to bring.
        everybody.wait()
        return crew.submit(answer, work.seed, 0, work.number("task-ms")).result()

    with crew:
        for task in [crew.submit(ask_the_next) for _ in range(work.workers)]:
            task.result()


@WORKLOAD.mode(imports=("concurrent.futures.process",))
def executor_processes(work: Work) -> Result:
    """Processes: they compute at the same time too, and tasks and results go through pipes."""
    return use(ProcessPoolExecutor(work.workers), work)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Compute every number, without waiting for anything."""
    records: list[Record] = []
    for index in range(work.size):
        generator = random.Random(f"{work.seed}:{index}")
        generator.random()
        records.append((index, generator.getrandbits(32)))
    return Result(records)
