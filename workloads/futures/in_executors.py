"""What can be done with the futures of an executor, of threads and of processes alike."""

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import (
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from typing import Protocol

from concurtrace.workload import Record, Work

from .alone import asked, fill
from .tasks import CANCELLED, Task, TaskError, answer, is_cancelled, said, tasks_of


class Gate(Protocol):
    """An event, of threads or of processes."""

    def set(self) -> None:
        """Open it."""

    def wait(self) -> object:
        """Wait until it is open."""


class Crew:
    """An executor, and the gate at which its workers can be made to wait.

    ``held`` is how many tasks it takes out of its queue, and can't cancel any more, while its
    workers wait: one each, and, for processes, as many as there is room for in the pipe to them.
    """

    def __init__(self, pool: Executor, gate: Gate, held: int) -> None:
        self.pool = pool
        self.gate = gate
        self.held = held


gate_of_all: list[Gate] = []
"""The gate, where each worker finds it, in whatever process it is."""


def know(gate: Gate) -> None:
    """Take the gate along: what each worker does first."""
    gate_of_all[:] = [gate]


def wait_at_the_gate() -> None:
    """Keep a worker busy until the gate opens."""
    gate_of_all[0].wait()


def use_threads(work: Work) -> list[Record]:
    """Do what the variant says with an executor of threads."""
    gate = threading.Event()
    workers = 1 if work.fault == "nested-submit" else work.workers
    with ThreadPoolExecutor(workers, "worker", know, (gate,)) as pool:
        return USES[work.variant](Crew(pool, gate, workers), work)


def use_processes(work: Work) -> list[Record]:
    """Do what the variant says with an executor of processes."""
    gate = multiprocessing.Event()
    with ProcessPoolExecutor(work.workers, initializer=know, initargs=(gate,)) as pool:
        return USES[work.variant](Crew(pool, gate, 2 * work.workers + 1), work)


def ask_in_turn(crew: Crew, work: Work) -> list[Record]:
    """Submit everything, then ask each future for its result: the first one first."""
    futures = [crew.pool.submit(answer, task) for task in tasks_of(work)]
    return [future.result() for future in futures]


def map_all(crew: Crew, work: Work) -> list[Record]:
    """Map the function to the tasks; results come in this order, whatever is ready before."""
    results = crew.pool.map(answer, tasks_of(work))
    # The place in the output is what is checked, with the number that stands there.
    return [(place, value) for place, (_, value) in enumerate(results)]


def take_as_completed(crew: Crew, work: Work) -> list[Record]:
    """Take each result when it is there."""
    if work.fault == "nested-submit":
        crew.pool.submit(ask_the_next, crew.pool, tasks_of(work)[0]).result()
    if work.fault == "result-never-asked":
        return never_ask(crew, work)
    futures = [crew.pool.submit(answer, task) for task in tasks_of(work)]
    return [future.result() for future in as_completed(futures)]


def ask_the_next(pool: Executor, task: Task) -> Record:
    """Submit a task and wait for it, in a worker: there is no other to do it."""
    return pool.submit(answer, task).result()


def never_ask(crew: Crew, work: Work) -> list[Record]:
    """Let each task write down its result, and wait until all futures are done."""
    board: list[Record] = []
    wait([crew.pool.submit(write_down, board, task) for task in tasks_of(work)])
    return board


def write_down(board: list[Record], task: Task) -> None:
    """Do a task and put its result on the board; the first one fails before that."""
    if task.index == 0:
        raise TaskError(said(task.index))
    board.append(answer(task))


def cancel_some(crew: Crew, work: Work) -> list[Record]:
    """Call off every second task while the workers stand at the gate, then open it."""
    if work.fault == "cancel-running":
        return cancel_too_late(crew, work)
    # These are first in the queue: when they are done, the gate is open.
    for _ in range(crew.held):
        crew.pool.submit(wait_at_the_gate)
    futures = [crew.pool.submit(answer, task) for task in tasks_of(work)]
    for index, future in enumerate(futures):
        if is_cancelled(index):
            future.cancel()
    crew.gate.set()
    return [
        (index, CANCELLED) if future.cancelled() else future.result()
        for index, future in enumerate(futures)
    ]


def cancel_too_late(crew: Crew, work: Work) -> list[Record]:
    """Call a task off when it has begun: it is done all the same."""
    records = []
    for task in tasks_of(work):
        begun = threading.Event()
        future = crew.pool.submit(begin, begun, task)
        if is_cancelled(task.index):
            begun.wait()
            future.cancel()
        records.append(future.result())
    return records


def begin(begun: threading.Event, task: Task) -> Record:
    """Say that the task has begun, and do it."""
    begun.set()
    return answer(task)


class Board:
    """What the callbacks leave behind; they run in the threads that finish the tasks."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.records: list[Record] = []
        self.calls: Counter[object] = Counter()
        self.both_called = threading.Semaphore(0)

    def note_result(self, future: "Future[Record]") -> None:
        """Write down the result: the first callback of each future."""
        if self.fault == "callback-raises":
            raise TaskError("a callback failed")
        self.records.append(future.result())
        self.calls[future.result()[0]] += 1

    def note_end(self, future: "Future[Record]") -> None:
        """Say that this future is done: its second callback, in the same thread as the first."""
        self.calls[future.result()[0]] += 1
        self.both_called.release()


def call_back(crew: Crew, work: Work) -> list[Record]:
    """Have two functions called with each future when it is done."""
    board = Board(work.fault)
    for task in tasks_of(work):
        future = crew.pool.submit(answer, task)
        future.add_done_callback(board.note_result)
        future.add_done_callback(board.note_end)
    # A future wakes those who wait for it before it calls anybody: so wait for the last call.
    for _ in range(work.size):
        board.both_called.acquire()
    return [(*record, board.calls[record[0]]) for record in board.records]


def use_stubs(crew: Crew, work: Work) -> list[Record]:
    """Let workers wait for futures that nobody works on, and fill these by hand."""
    stubs: list[Future[int]] = [Future() for _ in range(work.size)]
    askers = [crew.pool.submit(asked, stub, index) for index, stub in enumerate(stubs)]
    for index, stub in enumerate(stubs):
        fill(stub, work, index)
    return [asker.result() for asker in askers]


USES: dict[str, Callable[[Crew, Work], list[Record]]] = {
    "urls": ask_in_turn,
    "map": map_all,
    "as-completed": take_as_completed,
    "cancel": cancel_some,
    "callback": call_back,
    "stub": use_stubs,
}
