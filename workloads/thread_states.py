"""The life of a thread: new, runnable, running, waiting, dead, and how each can be seen.

A thread is new until it is started. From then on it is runnable, which means that it could run and
is in a queue for a core or for the GIL, or it runs; on one core, or under one GIL, only one of
many can. It waits when it can't go on before something happens: here, until a gate is opened. When
its function has returned it is dead, and cannot be started again. A process lives the same life.

The main thread watches, and leaves no state before it has seen every thread in it, and some time
has passed (`dwell-ms`): new by what Python knows, runnable and running by what the kernel counts
in `/proc/PID/task/TID/schedstat`, waiting by the letter in `stat`, dead when the folder is gone.

What to look for in the report: the states of each thread over time, with equal parts of computing
and waiting; the computing parts are shared between RUNNING and GIL_WAIT by threads, and between
RUNNING and RUNNABLE by processes that are more than the cores. The fault `stuck-waiting` leaves
the gate closed.
"""

import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, MutableSequence, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

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

from ._models import PROCESSES, THREADS, Model

WORKLOAD = Workload(
    lessons=("A1", "A8", "B1", "B3", "B8"),
    parameters=(
        Parameter(
            "size",
            4,
            "threads or processes that are watched",
            1,
            1000,
            presets={"tiny": 2, "large": 16},
        ),
        Parameter(
            "dwell-ms",
            400,
            "how long they stay new, compute, and wait",
            0,
            60_000,
            presets={"tiny": 20, "large": 2000},
        ),
        START_METHOD,
    ),
    faults=(Fault("stuck-waiting", "the gate is never opened", FaultOutcome.HANG),),
    expects={"threads": ("gil-saturation",)},
)


class State(StrEnum):
    """What a thread can be."""

    NEW = "new"
    RUNNABLE = "runnable"
    RUNNING = "running"
    WAITING = "waiting"
    DEAD = "dead"


class Worker(Protocol):
    """What ``threading.Thread`` and ``multiprocessing.Process`` have in common."""

    @property
    def name(self) -> str:
        """What it is called."""

    def start(self) -> None:
        """Let it run."""

    def join(self) -> None:
        """Wait until it is dead."""

    def is_alive(self) -> bool:
        """Tell whether it was started and has not ended."""


class Subject:
    """A thread or process under observation."""

    def __init__(self, worker: Worker, task: Callable[[], str | None]) -> None:
        self.worker = worker
        self.task = task
        self.seen: list[State] = []

    @property
    def folder(self) -> Path:
        """What the kernel tells about it; only for one that was started."""
        return Path(f"/proc/{self.task()}")

    def counters(self) -> tuple[int, int]:
        """Return how long it was on a core and in the queue for one, in nanoseconds.

        Source: Documentation/scheduler/sched-stats.rst of the Linux kernel, ``schedstat``.
        """
        on_core, in_queue, _ = (self.folder / "schedstat").read_text().split()
        return int(on_core), int(in_queue)

    def letter(self) -> str:
        """Return the kernel's letter for its state; see ``proc_pid_stat(5)``."""
        # The name before it stands in brackets and may itself contain anything.
        return (self.folder / "stat").read_text().rpartition(")")[2].split()[0]

    def is_in(self, state: State) -> bool:
        """Tell whether the state can be seen now, or the kernel counted some time in it."""
        match state:
            case State.NEW:
                return self.task() is None
            case State.RUNNABLE:
                return self.counters()[1] > 0
            case State.RUNNING:
                return self.counters()[0] > 0
            case State.WAITING:
                return self.letter() == "S"
            case State.DEAD:
                return not self.worker.is_alive() and not self.folder.exists()


def live(
    told_to_rest: MutableSequence[int],
    resting: MutableSequence[int],
    gate: Any,
    answers: MutableSequence[int],
    task: tuple[int, int],
) -> None:
    """Compute until told to rest, then wait at the gate: what each worker runs."""
    seed, index = task
    number = random.Random(f"{seed}:{index}").getrandbits(32)
    while not told_to_rest[0]:
        sum(step * step for step in range(100))
    resting[index] = 1
    gate.wait()
    answers[index] = number


class Observatory:
    """The workers, what they share, and what was seen of them."""

    def __init__(self, work: Work, model: Model) -> None:
        self.work = work
        self.told_to_rest = model.numbers(1)
        self.resting = model.numbers(work.size)
        self.answers = model.numbers(work.size)
        self.gate = model.primitives.Event()

    def arguments(self, index: int) -> tuple[Any, ...]:
        """Return what ``live`` is called with."""
        shared = (self.told_to_rest, self.resting, self.gate, self.answers)
        return (*shared, (self.work.seed, index))

    def watch(self, subjects: Sequence[Subject]) -> Result:
        """Lead them through all states, and see each of them in each."""
        self.see(subjects, State.NEW)
        for subject in subjects:
            subject.worker.start()
        self.see(subjects, State.RUNNABLE, State.RUNNING)
        self.told_to_rest[0] = 1
        while not all(self.resting):
            time.sleep(0.001)
        self.see(subjects, State.WAITING)
        counted = [subject.counters() for subject in subjects]
        if self.work.fault != "stuck-waiting":
            self.gate.set()
        for subject in subjects:
            subject.worker.join()
        self.see(subjects, State.DEAD)
        return Result(
            [
                (subject.worker.name, number, *subject.seen)
                for subject, number in zip(subjects, self.answers, strict=True)
            ],
            {
                "running-ms": sum(one[0] for one in counted) // 1_000_000,
                "runnable-ms": sum(one[1] for one in counted) // 1_000_000,
            },
        )

    def see(self, subjects: Sequence[Subject], *states: State) -> None:
        """Look until every subject was seen in every state, then let them dwell in the last."""
        for state in states:
            for subject in subjects:
                while not subject.is_in(state):
                    time.sleep(0.001)
                subject.seen.append(state)
        if states[-1] is not State.DEAD:
            time.sleep(self.work.number("dwell-ms") / 1000)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Watch threads of this process."""
    place = Observatory(work, THREADS)
    return place.watch([thread_subject(place, index) for index in range(work.size)])


def thread_subject(place: Observatory, index: int) -> Subject:
    """Make a thread to be watched."""
    thread = threading.Thread(target=live, args=place.arguments(index), name=name_of(index))

    def task() -> str | None:
        started = thread.native_id is not None
        return f"{os.getpid()}/task/{thread.native_id}" if started else None

    return Subject(thread, task)


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Watch the main threads of other processes."""
    place = Observatory(work, PROCESSES)
    return place.watch([process_subject(place, index) for index in range(work.size)])


def process_subject(place: Observatory, index: int) -> Subject:
    """Make a process to be watched."""
    process = multiprocessing.Process(target=live, args=place.arguments(index), name=name_of(index))

    def task() -> str | None:
        started = process.pid is not None
        return f"{process.pid}/task/{process.pid}" if started else None

    return Subject(process, task)


def name_of(index: int) -> str:
    """Return the name of a thread or process."""
    return f"subject-{index}"


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say what each one must go through, and which number it draws."""
    records: list[Record] = [
        (name_of(index), random.Random(f"{work.seed}:{index}").getrandbits(32), *State)
        for index in range(work.size)
    ]
    return Result(records)
