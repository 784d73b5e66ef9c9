"""Daemons: threads and processes that are cut off when their program ends.

A program lets a worker write a file, line by line, and waits for it, while a heartbeat beats
beside it. As a `daemon`, the heartbeat needs no end: it dies with the program, between two beats or
in the middle of one. As a `standard` worker it keeps the program alive until it is told to stop, so
it has to be told. A program here is a process of its own, because its end is the point.

What to look for in the report: the heartbeat's life, which ends with the program's. The fault
`lost-flush` makes the worker a daemon too, and nobody waits for it: the program ends when the file
is half written, and what had not been flushed is lost. The fault `daemon-children` starts workers
from a daemonic process, which multiprocessing refuses: a daemon is ended without being asked, so
nobody would see to the end of its children.
"""

import contextlib
import multiprocessing
import os
import random
import tempfile
import threading
import time
from pathlib import Path
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

from ._models import PROCESSES, THREADS, Model, run_processes

WORKLOAD = Workload(
    lessons=("A8", "A9", "A30", "B8"),
    parameters=(
        Parameter(
            "size",
            200,
            "lines that the worker writes",
            2,
            1_000_000,
            presets={"tiny": 10, "large": 2000},
        ),
        Parameter(
            "line-ms", 5, "how long the worker takes for a line", 0, 10_000, presets={"tiny": 2}
        ),
        Parameter(
            "beat-ms", 20, "time between two beats of the heart", 1, 10_000, presets={"tiny": 5}
        ),
        START_METHOD,
    ),
    variants=(
        Variant("daemon", "the heartbeat is a daemon"),
        Variant("standard", "the heartbeat is a worker that has to be told to stop"),
    ),
    faults=(
        Fault(
            "lost-flush",
            "the worker is a daemon too, and cut off with the file half written",
            FaultOutcome.WRONG_RESULT,
        ),
        Fault(
            "daemon-children",
            "a daemonic process starts processes",
            FaultOutcome.EXCEPTION,
            modes=("processes",),
        ),
    ),
)


def line(seed: int, index: int) -> str:
    """Return the text of one line."""
    return f"{index} {random.Random(f'{seed}:{index}').getrandbits(64):016x}"


class Program:
    """A program that ends: it starts a worker and a heartbeat, and waits for the worker."""

    def __init__(self, work: Work, model: Model, folder: Path) -> None:
        self.work = work
        self.beating = model.primitives.Event()
        self.half_written = model.primitives.Event()
        self.written = model.primitives.Event()
        self.never = model.primitives.Event()
        self.lines = folder / "lines"
        self.beats = folder / "beats"

    def run(self, make: Any) -> None:
        """Start both, and return when the worker is done, whatever then becomes of the heartbeat.

        ``make`` is ``threading.Thread`` or ``multiprocessing.Process``.
        """
        loses = self.work.fault == "lost-flush"
        immortal = self.work.variant == "daemon"
        heart = make(target=self.beat, name="heartbeat", daemon=immortal)
        writer = make(target=self.write, name="writer", daemon=loses)
        heart.start()
        writer.start()
        self.beating.wait()
        if loses:
            self.half_written.wait()
            return
        writer.join()
        if not immortal:
            self.written.set()
            heart.join()

    def write(self) -> None:
        """Write the file: what the worker does."""
        with self.lines.open("w", encoding="ascii") as file:
            for index in range(self.work.size):
                if self.work.fault == "lost-flush" and index == self.work.size // 2:
                    self.half_written.set()
                    self.never.wait()
                time.sleep(self.work.number("line-ms") / 1000)
                file.write(line(self.work.seed, index) + "\n")

    def beat(self) -> None:
        """Add a byte per beat to a file, until told to stop: what the heartbeat does.

        A daemon looks for nobody who tells it anything.
        """
        pause = self.work.number("beat-ms") / 1000
        file = os.open(self.beats, os.O_WRONLY | os.O_CREAT)
        try:
            while self.work.variant == "daemon" or not self.written.is_set():
                os.write(file, b"*")
                self.beating.set()
                time.sleep(pause)
        finally:
            os.close(file)


def run_with_threads(work: Work, folder: str) -> None:
    """Be the program, its worker and heartbeat being threads."""
    Program(work, THREADS, Path(folder)).run(threading.Thread)


def run_with_processes(work: Work, folder: str) -> None:
    """Be the program, its worker and heartbeat being processes."""
    Program(work, PROCESSES, Path(folder)).run(multiprocessing.Process)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Run the program with threads, to its end, and look at what it left."""
    with tempfile.TemporaryDirectory() as folder:
        run_processes([(run_with_threads, (work, folder))], "program")
        return what_is_left(Path(folder))


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Run the program with processes, to its end, and look at what it left."""
    daemon = work.fault == "daemon-children"
    with tempfile.TemporaryDirectory() as folder:
        run_processes([(run_with_processes, (work, folder))], "program", daemon=daemon)
        return what_is_left(Path(folder))


def what_is_left(folder: Path) -> Result:
    """Read the lines and count the beats."""
    beats, lines = 0, ""
    # Neither file need be there: a daemon may have been cut off before its first deed.
    with contextlib.suppress(FileNotFoundError):
        beats = (folder / "beats").stat().st_size
    with contextlib.suppress(FileNotFoundError):
        lines = (folder / "lines").read_text(encoding="ascii")
    records: list[Record] = [(written,) for written in lines.splitlines()]
    return Result(records, {"heartbeats": beats})


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say what the complete file holds."""
    return Result([(line(work.seed, index),) for index in range(work.size)])
