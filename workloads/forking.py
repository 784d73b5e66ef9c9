"""Forking: a process that splits in two, and what the child inherits.

The parent holds a long list of numbers in memory and forks children, a few at a time; each adds
up its share of the list, which it did not have to be sent, and writes the sum into a pipe. Once
with the bare system calls (`os-fork`): fork, pipe, waitpid, and `os._exit`, because a child must
never run what the parent was about to run. Once with multiprocessing's `context` of the same name.

What to look for in the report: the time a fork takes, which grows with the memory that has to be
mapped (`ballast-mb`), and the memory of the children: they share the parent's pages until somebody
writes to them, and counting references is writing, so reading a list copies it page by page.

The faults: `fork-with-lock` forks while another thread holds a lock. That thread does not exist
in the child, so there the lock is held for ever. `zombie` never asks how the children ended, so
that the kernel has to keep them. `exit-trace` leaves by `os._exit` before what was written is
flushed, and nothing of it comes through.
"""

import contextlib
import multiprocessing
import os
import random
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from concurtrace.workload import (
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

BYTES_PER_NUMBER = 40
"""What a number of this size takes in a list: 32 for itself, 8 for the reference to it."""

WORKLOAD = Workload(
    lessons=("A9", "B24"),
    parameters=(
        Parameter("size", 40, "children", 1, 10_000, presets={"tiny": 4, "large": 400}),
        Parameter("workers", 4, "children at the same time", 1, 256, presets={"tiny": 2}),
        Parameter(
            "ballast-mb", 24, "memory that the children inherit", 1, 4096, presets={"tiny": 1}
        ),
    ),
    variants=(
        Variant("os-fork", "the bare system calls"),
        Variant("context", "multiprocessing's fork context"),
    ),
    faults=(
        Fault(
            "fork-with-lock",
            "a lock is held by a thread that the child does not have",
            FaultOutcome.HANG,
        ),
        Fault(
            "zombie",
            "nobody asks how the children ended",
            FaultOutcome.COST,
            variant="os-fork",
        ),
        Fault(
            "exit-trace",
            "the children leave without flushing what they wrote",
            FaultOutcome.WRONG_RESULT,
            variant="os-fork",
        ),
    ),
    expects={"processes": ("spawn-cost",)},
)


class Ballast:
    """The numbers that every child inherits, and a lock round them."""

    def __init__(self, work: Work) -> None:
        first, count = span(work)
        self.work = work
        self.numbers = list(range(first, first + count))
        self.lock = threading.Lock()

    def share(self, index: int) -> int:
        """Add up one child's share of the numbers: every so many-th of them."""
        with self.lock:
            return sum(self.numbers[index :: self.work.size])


def span(work: Work) -> tuple[int, int]:
    """Return the first of the numbers, which follow each other, and how many there are."""
    count = max(work.size, work.number("ballast-mb") * 1_000_000 // BYTES_PER_NUMBER)
    return random.Random(work.seed).randrange(1 << 40, 1 << 41), count


def copied_kb() -> int:
    """Return how much memory this process shares with no other, in kilobytes."""
    for entry in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if entry.startswith("Private_Dirty:"):
            return int(entry.split()[1])
    raise OSError("/proc/self/smaps_rollup does not say what is Private_Dirty.")


@dataclass(frozen=True)
class Child:
    """A child that was forked with the bare system calls, and our end of its pipe."""

    pid: int
    pipe: int

    def result(self) -> list[int]:
        """Read sum and kilobytes until it closes its end; nothing where it wrote nothing."""
        with open(self.pipe, encoding="ascii") as stream:  # noqa: PTH123 - no path, a descriptor
            return [int(word) for word in stream.read().split()]

    def wait(self) -> None:
        """Ask how it ended; ChildProcessError if not well."""
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            raise ChildProcessError(f"child {self.pid} ended with exit code {code}")


def fork(ballast: Ballast, index: int) -> Child:
    """Fork a child that works its share out, and write the sum into a pipe."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        # Our copy has to go, or we would never read an end of it.
        os.close(writer)
        return Child(pid, reader)
    status = 1
    try:
        os.close(reader)
        stream = open(writer, "w", encoding="ascii")  # noqa: PTH123, SIM115 - the fault is not to close it
        stream.write(f"{ballast.share(index)} {copied_kb()}\n")
        if ballast.work.fault != "exit-trace":
            stream.close()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        # No return and no exception may lead out of here, into what the parent does next.
        os._exit(status)


def fork_all(ballast: Ballast) -> Result:
    """Fork all children, a few at a time, take their sums and ask how they ended."""
    work = ballast.work
    records: list[Record] = []
    copied, children = 0, []
    for start in range(0, work.size, work.workers):
        batch = range(start, min(start + work.workers, work.size))
        crew = [fork(ballast, index) for index in batch]
        for index, child in zip(batch, crew, strict=True):
            answer = child.result()
            if answer:
                records.append((index, answer[0]))
                copied = max(copied, answer[1])
            if work.fault != "zombie":
                child.wait()
        children += crew
    zombies = zombies_among(children) if work.fault == "zombie" else 0
    return Result(records, {"copied-kb": copied, "zombies": zombies})


def zombies_among(children: list[Child]) -> int:
    """Count those that are dead but still there, once all have ended."""
    found = 0
    for child in children:
        stat = Path(f"/proc/{child.pid}/stat")
        while (letter := stat.read_text().rpartition(")")[2].split()[0]) != "Z":
            time.sleep(0.001)
        found += letter == "Z"
    return found


def send_share(pipe: Connection, ballast: Ballast, index: int) -> None:
    """Send one share: what a process of multiprocessing's context runs."""
    with pipe:
        pipe.send((ballast.share(index), copied_kb()))


def start_all(ballast: Ballast) -> Result:
    """Do the same by multiprocessing, which forks, pickles the result and waits for the child."""
    context = multiprocessing.get_context("fork")
    work = ballast.work
    records: list[Record] = []
    copied = 0
    for start in range(0, work.size, work.workers):
        crew = []
        for index in range(start, min(start + work.workers, work.size)):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(
                target=send_share, args=(theirs, ballast, index), name=f"child-{index}"
            )
            process.start()
            theirs.close()
            crew.append((index, process, ours))
        for index, process, pipe in crew:
            with pipe:
                total, kilobytes = pipe.recv()
            records.append((index, total))
            copied = max(copied, kilobytes)
            process.join()
    return Result(records, {"copied-kb": copied, "zombies": 0})


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """Fork the children from a parent that has something to inherit."""
    ballast = Ballast(work)
    holder = lock_held_elsewhere(ballast) if work.fault == "fork-with-lock" else None
    with holder or contextlib.nullcontext():
        return fork_all(ballast) if work.variant == "os-fork" else start_all(ballast)


@contextlib.contextmanager
def lock_held_elsewhere(ballast: Ballast) -> Iterator[None]:
    """Let another thread hold the lock around a block."""
    held, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with ballast.lock:
            held.set()
            enough.wait()

    thread = threading.Thread(target=hold, name="holder")
    thread.start()
    held.wait()
    try:
        yield
    finally:
        enough.set()
        thread.join()


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Add each share up by the formula for numbers that are equally far apart."""
    first, count = span(work)
    records: list[Record] = []
    for index in range(work.size):
        terms = len(range(index, count, work.size))
        last = index + (terms - 1) * work.size
        records.append((index, (2 * first + index + last) * terms // 2))
    return Result(records)
