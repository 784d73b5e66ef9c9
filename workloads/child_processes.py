"""Child processes: started, named, known by their pid, ended early, and asked how they ended.

A few children at a time compute a number each. The variants differ in what they show: `pid` that a
child is another process, whose parent is this one; `subclass` a class of processes; `names` that a
name helps to tell them apart; `terminate` children that would wait for ever, and are ended;
`main-guard` a script whose children are spawned, so that each of them imports it again, as always
on Windows and macOS.

What to look for in the report: the children on the time line with their names, the share of their
lives that went into starting (`--start-method spawn`), and how each ended: a terminated child by
signal 15. The faults are the ones that bite: `no-main-guard` lets each child of the script start
children again, `terminate-with-lock` ends a child that holds a lock, which then nobody can take;
`join-before-drain` waits for a child that waits for its queue to be emptied; `orphan` leaves a
process behind that has lost its parent.
"""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Lock
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

WORKLOAD = Workload(
    lessons=(
        "A2",
        "A30",
        "A31",
        "A33",
        "B3",
        "B4",
        "B15",
        "B16",
        "B17",
        "B19",
        "B21",
        "B22",
        "B24",
    ),
    parameters=(
        Parameter("size", 16, "children", 1, 10_000, presets={"tiny": 3, "large": 200}),
        Parameter("workers", 4, "children at the same time", 1, 256, presets={"tiny": 2}),
        Parameter(
            "rounds", 400_000, "steps that a child computes", 1, 100_000_000, presets={"tiny": 1000}
        ),
        START_METHOD,
    ),
    variants=(
        Variant("pid", "a child knows its pid, and its parent's"),
        Variant("subclass", "children of a class of their own"),
        Variant("names", "a child knows its name"),
        Variant("terminate", "children that never end by themselves are terminated"),
        Variant("main-guard", "a script whose spawned children import it again"),
    ),
    faults=(
        Fault(
            "no-main-guard",
            "the script starts children whenever it is imported",
            FaultOutcome.WRONG_RESULT,
            variant="main-guard",
        ),
        Fault(
            "terminate-with-lock",
            "a child is terminated while it holds a lock",
            FaultOutcome.HANG,
            variant="terminate",
        ),
        Fault(
            "join-before-drain",
            "a child is waited for that has put more into its queue than the pipe behind it takes",
            FaultOutcome.HANG,
            variant="pid",
        ),
        Fault(
            "orphan",
            "a child starts a process and is gone, but the process is not",
            FaultOutcome.COST,
            variant="pid",
        ),
    ),
    expects={"processes": ("spawn-cost",)},
)

MODULUS = 1 << 32
MULTIPLIER, INCREMENT = 1_664_525, 1_013_904_223
"""A linear congruential generator. Source: Numerical Recipes, 2nd edition, section 7.1."""
SHOWN_LINES = 30
"""How much is shown of what a script says on stderr."""
TERMINATED = -15
"""The exit code of a process that SIGTERM ended."""
ORPHAN_LIFE_S = 2.0
"""How long an orphan outlives the end of the program, when nobody ends it."""


def first(seed: int, index: int) -> int:
    """Return the number from which a child starts."""
    return random.Random(f"{seed}:{index}").getrandbits(32)


def compute(seed: int, index: int, rounds: int) -> int:
    """Compute a child's number: go some steps further in a sequence."""
    number = first(seed, index)
    for _ in range(rounds):
        number = (number * MULTIPLIER + INCREMENT) % MODULUS
    return number


def name_of(index: int) -> str:
    """Return the name of a child."""
    return f"child-{index}"


def tell(pipe: Connection, work: Work, index: int) -> None:
    """Send who this process is, and its number: what a child runs."""
    with pipe:
        myself, parent = multiprocessing.current_process(), multiprocessing.parent_process()
        number = compute(work.seed, index, work.number("rounds"))
        pipe.send((myself.name, os.getpid(), parent and parent.pid, number))


class Child(multiprocessing.Process):
    """A child that knows what it has to do: made by subclassing."""

    def __init__(self, pipe: Connection, work: Work, index: int) -> None:
        super().__init__(name=name_of(index))
        self.pipe = pipe
        self.work = work
        self.index = index

    def run(self) -> None:
        """Do it; called in the new process."""
        tell(self.pipe, self.work, self.index)


def make(work: Work, pipe: Connection, index: int) -> multiprocessing.Process:
    """Make a child as the variant has it."""
    if work.variant == "subclass":
        return Child(pipe, work, index)
    return multiprocessing.Process(target=tell, args=(pipe, work, index), name=name_of(index))


def batches(work: Work) -> Iterator[Sequence[int]]:
    """Deal the indexes out: as many as there may be children at the same time."""
    for start in range(0, work.size, work.workers):
        yield range(start, min(start + work.workers, work.size))


def start(work: Work, index: int) -> tuple[multiprocessing.Process, Connection]:
    """Start a child; return it and our end of its pipe."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = make(work, theirs, index)
    child.start()
    # Only the child may hold this end now, or its death would not end our recv().
    theirs.close()
    return child, ours


def run_children(work: Work) -> Result:
    """Start children, take what they say, and ask how they ended."""
    import psutil

    records: list[Record] = []
    at_once = 0
    for batch in batches(work):
        crew = [start(work, index) for index in batch]
        at_once = max(at_once, len(psutil.Process().children(recursive=True)))
        for child, pipe in crew:
            number = None
            # One that died has said nothing, but still has an exit code.
            with pipe, contextlib.suppress(EOFError):
                name, pid, parent_pid, number = pipe.recv()
                if (name, pid, parent_pid) != (child.name, child.pid, os.getpid()):
                    raise ChildProcessError(f"{child.name} is not who it says it is")
            child.join()
            records.append((child.name, number, child.exitcode))
    return Result(records, {"children-at-once": at_once})


def wait_for_ever(pipe: Connection, lock: Lock, work: Work) -> None:
    """Say that it is there, then do nothing that ever ends: what a child to be terminated runs."""
    if work.fault == "terminate-with-lock":
        lock.acquire()
    with pipe:
        pipe.send("here")
        while True:
            signal.pause()


def terminate_children(work: Work) -> Result:
    """Start children that do not end, and end them."""
    lock = multiprocessing.Lock()
    records: list[Record] = []
    for batch in batches(work):
        crew = []
        for index in batch:
            ours, theirs = multiprocessing.Pipe(duplex=False)
            child = multiprocessing.Process(
                target=wait_for_ever, args=(theirs, lock, work), name=name_of(index)
            )
            child.start()
            theirs.close()
            with ours:
                ours.recv()
            crew.append(child)
            if work.fault == "terminate-with-lock":
                # It ends with the lock in its hands, and so the next one never says a word.
                child.terminate()
        for child in crew:
            child.terminate()
            child.join()
            records.append((child.name, None, child.exitcode))
    return Result(records)


SCRIPT = """\
import json
import multiprocessing
import sys

from concurtrace.workload import Work
from concurtrace.workloads.child_processes import run_children


def main():
    multiprocessing.set_start_method("spawn", force=True)
    result = run_children(Work(json.loads(sys.argv[1])))
    print(json.dumps(result.records))


"""
GUARDED = """\
if __name__ == "__main__":
    main()
"""
UNGUARDED = """\
main()
"""


def run_script(work: Work) -> Result:
    """Let a script start the children, and read what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text(SCRIPT + (UNGUARDED if work.fault == "no-main-guard" else GUARDED))
        command = (sys.executable, str(script), json.dumps(dict(work.parameters)))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    # Each of its children may have said the same.
    sys.stderr.writelines(done.stderr.splitlines(keepends=True)[:SHOWN_LINES])
    if done.returncode:
        raise ChildProcessError(f"the script ended with exit code {done.returncode}")
    return Result([tuple(record) for record in json.loads(done.stdout)])


def fill(queue: Any) -> None:
    """Put more into a queue than the pipe behind it takes: what one child runs."""
    queue.put(bytes(1_000_000))


def join_before_drain() -> None:
    """Wait for a child whose last words are stuck in its queue."""
    queue: Any = multiprocessing.Queue()
    child = multiprocessing.Process(target=fill, args=(queue,), name="filler")
    child.start()
    # The child ends when its queue has been written, which is when somebody reads it: below.
    child.join()
    queue.get()


def leave_orphan(pipe: Connection, lifeline: tuple[Connection, Connection]) -> None:
    """Start a process, and be gone before it: what the parent of the orphan runs."""
    multiprocessing.Process(target=outlive, args=(pipe, lifeline), name="orphan").start()
    # A process of multiprocessing would wait for its own children; this is how one dies that is
    # killed, or one that was started by other means.
    os._exit(0)


def outlive(pipe: Connection, lifeline: tuple[Connection, Connection]) -> None:
    """Live on until the program is gone, and a little longer: what the orphan runs."""
    reader, writer = lifeline
    # The program's copy of this end must be the last one, so that its closing can be seen.
    writer.close()
    pipe.send("here")
    with contextlib.suppress(EOFError):
        reader.recv()
    time.sleep(ORPHAN_LIFE_S)


def make_orphan() -> tuple[Connection, Connection]:
    """Make an orphan, and return what keeps it alive as long as it is held."""
    lifeline = multiprocessing.Pipe(duplex=False)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    parent = multiprocessing.Process(target=leave_orphan, args=(theirs, lifeline), name="parent")
    parent.start()
    with ours:
        ours.recv()
    parent.join()
    return lifeline


@WORKLOAD.mode(imports=("psutil",))
def processes(work: Work) -> Result:
    """Start children as the variant has it."""
    if work.fault == "join-before-drain":
        join_before_drain()
    # Until the end of the program, not of this function.
    lifelines.extend(make_orphan() if work.fault == "orphan" else ())
    if work.variant == "terminate":
        return terminate_children(work)
    if work.variant == "main-guard":
        return run_script(work)
    return run_children(work)


lifelines: list[Connection] = []


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say what each child is to compute, by a leap over all steps at once, and how it is to end."""
    if work.variant == "terminate":
        return Result([(name_of(index), None, TERMINATED) for index in range(work.size)])
    factor, summand = 1, 0
    for _ in range(work.number("rounds")):
        factor, summand = (
            factor * MULTIPLIER % MODULUS,
            (summand * MULTIPLIER + INCREMENT) % MODULUS,
        )
    return Result(
        [
            (name_of(index), (first(work.seed, index) * factor + summand) % MODULUS, 0)
            for index in range(work.size)
        ]
    )
