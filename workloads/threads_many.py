"""Many threads at once: how they are made, named, counted and found, and what a crowd costs.

A thread is made from a function (`function`) or from a class of its own (`class`), knows itself
(`current`), and can be found by others (`enumerate`). All of them stand at a gate until the last
one has been started, so that all exist at the same time; then each computes a number, or waits for
a while and computes next to nothing (`load=wait`).

What to look for in the report: with `load=compute` the number of switches of the GIL and the cores
used, one at most, whatever the number of threads. With `load=wait` all that a crowd of idle threads
costs: memory and the time to start them. The faults are what one forgets with so many:
`never-joined` reads the results of threads that are still at work, `orphans` waits for the thread
that started the others, but not for these, and `thread-churn` starts one thread per morsel of work.
"""

import random
import threading
import time
from collections.abc import Sequence

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

MODULUS = 1 << 32
MULTIPLIER, INCREMENT = 1_664_525, 1_013_904_223
"""A linear congruential generator. Source: Numerical Recipes, 2nd edition, section 7.1."""
MORSELS = 10
"""How many threads the fault `thread-churn` starts in the place of one."""

WORKLOAD = Workload(
    lessons=("A1", "A9", "A10", "B3", "B4", "B6", "B7", "B8", "B16"),
    parameters=(
        Parameter(
            "size", 200, "threads at the same time", 1, 5000, presets={"tiny": 20, "large": 1000}
        ),
        Parameter("load", "compute", "what each thread does", choices=("compute", "wait")),
        Parameter(
            "rounds",
            60_000,
            "steps that a thread computes",
            1,
            100_000_000,
            presets={"tiny": 2000, "large": 100_000},
        ),
        Parameter("wait-ms", 1000, "how long a thread waits", 0, 60_000, presets={"tiny": 20}),
    ),
    variants=(
        Variant("function", "threads that run a function"),
        Variant("class", "threads of a class of their own"),
        Variant("enumerate", "names and number of the threads from those that exist"),
        Variant("current", "each thread asks who it is"),
    ),
    faults=(
        Fault(
            "never-joined",
            "the results are read while the threads are at work",
            FaultOutcome.WRONG_RESULT,
        ),
        Fault(
            "orphans",
            "the thread that started the others is waited for, these are not",
            FaultOutcome.WRONG_RESULT,
        ),
        Fault(
            "thread-churn",
            f"{MORSELS} threads in the place of one, each with a morsel of work",
            FaultOutcome.COST,
        ),
    ),
    expects={"threads": ("gil-saturation",)},
)


def first(seed: int, index: int) -> int:
    """Return the number from which a thread starts."""
    return random.Random(f"{seed}:{index}").getrandbits(32)


def compute(number: int, rounds: int) -> int:
    """Go some steps further in the sequence of numbers."""
    for _ in range(rounds):
        number = (number * MULTIPLIER + INCREMENT) % MODULUS
    return number


class Hall:
    """Where the threads meet: a gate that opens for all at once, and the results on a board."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.gate = threading.Event()
        # Open from the start, unless the fault is that nobody waits for the threads.
        self.may_finish = threading.Event()
        if work.fault not in ("never-joined", "orphans"):
            self.may_finish.set()
        self.board: dict[str, int] = {}
        self.board_lock = threading.Lock()

    def take_part(self, index: int) -> None:
        """Wait at the gate, do the work, write down the result: what each thread runs."""
        self.gate.wait()
        number = first(self.work.seed, index)
        if self.work.text("load") == "wait":
            time.sleep(self.work.number("wait-ms") / 1000)
        elif self.work.fault == "thread-churn":
            number = self.compute_in_morsels(index, number)
        else:
            number = compute(number, self.work.number("rounds"))
        self.may_finish.wait()
        self.write(index, number)

    def compute_in_morsels(self, index: int, number: int) -> int:
        """Start a thread for every few steps, one after the other."""
        rounds = self.work.number("rounds")
        numbers = [number]
        for part in range(MORSELS):
            steps = rounds * (part + 1) // MORSELS - rounds * part // MORSELS
            morsel = threading.Thread(
                target=lambda steps=steps: numbers.append(compute(numbers[-1], steps)),
                name=f"morsel-{index}-{part}",
            )
            morsel.start()
            morsel.join()
        return numbers[-1]

    def write(self, index: int, number: int) -> None:
        """Put a result on the board, under the name by which this variant knows the thread."""
        known = self.work.variant == "current"
        name = threading.current_thread().name if known else name_of(index)
        with self.board_lock:
            self.board[name] = number


class Visitor(threading.Thread):
    """A thread that knows what it has to do: made by subclassing."""

    def __init__(self, hall: Hall, index: int) -> None:
        super().__init__(name=name_of(index))
        self.hall = hall
        self.index = index

    def run(self) -> None:
        """Do it; called by ``start()`` in the new thread."""
        self.hall.take_part(self.index)


def name_of(index: int) -> str:
    """Return the name of a thread."""
    return f"visitor-{index}"


def make(hall: Hall) -> list[threading.Thread]:
    """Make the threads as the variant has it; none of them runs yet."""
    indexes = range(hall.work.size)
    if hall.work.variant == "class":
        return [Visitor(hall, index) for index in indexes]
    return [
        threading.Thread(target=hall.take_part, args=(index,), name=name_of(index))
        for index in indexes
    ]


def start(crew: Sequence[threading.Thread]) -> None:
    """Start them all."""
    for thread in crew:
        thread.start()


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Start them all, open the gate, wait for all."""
    hall = Hall(work)
    crew = make(hall)
    if work.fault == "orphans":
        starter = threading.Thread(target=start, args=(crew,), name="starter")
        starter.start()
        starter.join()
    else:
        start(crew)
    alive = threading.active_count()
    present = {thread.name for thread in threading.enumerate()}
    hall.gate.set()
    if hall.may_finish.is_set():
        for thread in crew:
            thread.join()
    records: list[Record] = list(hall.board.items())
    # By now those that nobody waited for may come to their end, too late for the result.
    hall.may_finish.set()
    if work.variant == "enumerate":
        records = [record for record in records if record[0] in present]
    return Result(records, {"threads-alive": alive, "main": threading.main_thread().name})


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Leap over all steps at once: the step is affine, so n of them are one affine step too."""
    rounds = work.number("rounds") if work.text("load") == "compute" else 0
    factor, summand = leap(rounds)
    return Result(
        [
            (name_of(index), (first(work.seed, index) * factor + summand) % MODULUS)
            for index in range(work.size)
        ]
    )


def leap(rounds: int) -> tuple[int, int]:
    """Return factor and summand of ``rounds`` steps in one, by repeated squaring."""
    factor, summand = 1, 0
    step_factor, step_summand = MULTIPLIER, INCREMENT
    while rounds:
        if rounds & 1:
            factor = factor * step_factor % MODULUS
            summand = (summand * step_factor + step_summand) % MODULUS
        step_summand = (step_summand * step_factor + step_summand) % MODULUS
        step_factor = step_factor * step_factor % MODULUS
        rounds >>= 1
    return factor, summand
