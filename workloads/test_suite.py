"""A suite of unit tests, run one after the other, shared among threads or processes, or async.

The tests are `unittest.TestCase` classes: of a function, and of a counter that several threads add
to at the same time. Some are skipped, some are known to fail and say so. What is compared is the
outcome of every test by its id: a suite that is run in another way must say the same.

What to look for in the report: which tests take the time (`slowest-test` is among what was
observed), and whether sharing the suite was worth it: threads take turns at the GIL, processes do
not. The tests of the counter start threads of their own.

The fault `flaky` leaves out the counter's lock. The suite passes, today and on any day that
somebody watches: CPython lets nobody in between the steps of `self.value += amount`. That is no
promise. To see it fail, bring pauses into the lines: `concurtrace stress test-suite --fault flaky`.
Tests of concurrent code need that, and repetition with other numbers of workers, seeds and switch
intervals; a test that passed once has shown little.
"""

# ruff: noqa: PT009 - the lesson is about unittest

import asyncio
import random
import threading
import time
import unittest
from collections.abc import Callable, Sequence
from typing import Any

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

from ._models import PROCESSES, THREADS, Job

WORKLOAD = Workload(
    lessons=("A21",),
    parameters=(
        Parameter("size", 480, "tests", 8, 1_000_000, presets={"tiny": 16, "large": 4000}),
        Parameter("workers", 4, "who share them", 1, 256, presets={"tiny": 2}),
        Parameter(
            "adds",
            2000,
            "additions of each thread in a test of the counter",
            1,
            1_000_000,
            presets={"tiny": 100},
        ),
        START_METHOD,
    ),
    faults=(
        Fault(
            "flaky",
            "a counter without its lock: its tests pass, except under stress",
            FaultOutcome.COST,
            modes=("sequential", "threads", "processes"),
        ),
    ),
    expects={
        # Each test of the counter starts threads of its own.
        "sequential": ("thread-churn",),
        "threads": ("gil-saturation", "thread-churn"),
        "processes": ("thread-churn",),
    },
)

NAME = "tester"
ADDERS = 4
"""How many add to the counter of one test at the same time."""
METHODS = (
    "test_counter",
    "test_function",
    "test_counter",
    "test_known_defect",
    "test_function",
    "test_counter",
    "test_elsewhere",
    "test_function",
)


class Counter:
    """Something to be tested: adds what several threads bring."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()

    def add(self, amount: int) -> None:
        """Add an amount, while nobody else can."""
        with self._lock:
            self.value += amount


class HastyCounter(Counter):
    """The same in a hurry."""

    def add(self, amount: int) -> None:
        """Add an amount and hope for the best."""
        self.value += amount


def sum_of_squares(last: int) -> int:
    """Add the squares up to a number: something to be tested, too."""
    return sum(number * number for number in range(last + 1))


def half(number: int) -> int:
    """Return half of a number; wrong for odd ones, as everybody knows."""
    return number // 2


def amounts(work: Work, index: int, adder: int) -> list[int]:
    """Return what one of those who add to a test's counter brings."""
    draw = random.Random(f"{work.seed}:{index}:{adder}")
    return draw.choices(range(1, 10), k=work.number("adds"))


def last_number(work: Work, index: int) -> int:
    """Return the number that a test of a function uses; it is in the test's id."""
    return random.Random(f"{work.seed}:{index}").randrange(10_001, 20_000, 2)


def method_of(index: int) -> str:
    """Return what kind of test it is."""
    return METHODS[index % len(METHODS)]


def test_id(work: Work, index: int) -> str:
    """Return the id of a test, the same in every mode."""
    return f"{index}.{method_of(index)}({last_number(work, index)})"


class Numbered:
    """What tests have that are made from a number."""

    def __init__(self, work: Work, index: int) -> None:
        super().__init__(method_of(index))  # type: ignore[call-arg]
        self.work = work
        self.index = index
        self.last = last_number(work, index)

    def id(self) -> str:
        """Return the id, which says nothing of the class: that is the mode's."""
        return test_id(self.work, self.index)

    def wanted(self) -> int:
        """Work out what the counter must come to."""
        return sum(sum(amounts(self.work, self.index, adder)) for adder in range(ADDERS))


class ThreadedTest(Numbered, unittest.TestCase):
    """The tests; that of the counter has threads."""

    def test_function(self) -> None:
        """Compare with the formula."""
        last = self.last
        self.assertEqual(sum_of_squares(last), last * (last + 1) * (2 * last + 1) // 6)

    def test_counter(self) -> None:
        """Let threads add, and see that nothing is lost."""
        counter = HastyCounter() if self.work.fault == "flaky" else Counter()
        crew = [
            threading.Thread(target=self.add, args=(counter, adder), name=f"adder-{adder + 1}")
            for adder in range(ADDERS)
        ]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        self.assertEqual(counter.value, self.wanted())

    def add(self, counter: Counter, adder: int) -> None:
        """Add what is one thread's: nothing is drawn meanwhile, so that they are there together."""
        mine = amounts(self.work, self.index, adder)
        for amount in mine:
            counter.add(amount)

    @unittest.expectedFailure
    def test_known_defect(self) -> None:
        """Say that it is known to be wrong, until somebody mends it."""
        self.assertEqual(2 * half(self.last), self.last)

    def test_elsewhere(self) -> None:
        """Skip what can't be tested here."""
        self.skipTest("needs another machine")


class AsyncTest(Numbered, unittest.IsolatedAsyncioTestCase):
    """The same tests as coroutines, each in an event loop of its own."""

    async def test_function(self) -> None:
        """Compare with the formula."""
        last = self.last
        self.assertEqual(sum_of_squares(last), last * (last + 1) * (2 * last + 1) // 6)

    async def test_counter(self) -> None:
        """Let tasks add, and see that nothing is lost."""
        counter = Counter()
        async with asyncio.TaskGroup() as group:
            for adder in range(ADDERS):
                group.create_task(self.add(counter, adder), name=f"adder-{adder + 1}")
        self.assertEqual(counter.value, self.wanted())

    async def add(self, counter: Counter, adder: int) -> None:
        """Add what is one task's, and let the others have their turn now and then."""
        for number, amount in enumerate(amounts(self.work, self.index, adder)):
            counter.add(amount)
            if number % 100 == 0:
                await asyncio.sleep(0)

    @unittest.expectedFailure
    async def test_known_defect(self) -> None:
        """Say that it is known to be wrong, until somebody mends it."""
        self.assertEqual(2 * half(self.last), self.last)

    async def test_elsewhere(self) -> None:
        """Skip what can't be tested here."""
        self.skipTest("needs another machine")


Told = tuple[str, str, float]
"""The id of a test, its outcome, and how many seconds it took."""


class Outcomes(unittest.TestResult):
    """Collects the outcome of each test; each runner has one of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Told] = []
        self._since = 0.0
        self._outcome = "passed"

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """Take the time."""
        super().startTest(test)
        self._since, self._outcome = time.monotonic(), "passed"

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """Note a failure."""
        super().addFailure(test, err)
        self._outcome = "failed"

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """Note an error."""
        super().addError(test, err)
        self._outcome = "error"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        """Note that it was skipped."""
        super().addSkip(test, reason)
        self._outcome = "skipped"

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """Note that it failed, as it should."""
        super().addExpectedFailure(test, err)
        self._outcome = "expected failure"

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Tell what became of it."""
        super().stopTest(test)
        self.told.append((test.id(), self._outcome, time.monotonic() - self._since))


Kind = Callable[[Work, int], unittest.TestCase]


def run_share(kind: Kind, work: Work, part: int, parts: int) -> list[Told]:
    """Run every so manieth test."""
    outcomes = Outcomes()
    suite = unittest.TestSuite(kind(work, index) for index in range(part, work.size, parts))
    suite.run(outcomes)
    return outcomes.told


def summed_up(shares: Sequence[list[Told]]) -> Result:
    """Record each outcome, and name the slowest test."""
    told = [one for share in shares for one in share]
    records: list[Record] = [(name, outcome) for name, outcome, _ in told]
    slowest, _, seconds = max(told, key=lambda one: one[2])
    return Result(records, {"slowest-test": slowest, "slowest-ms": round(seconds * 1000, 1)})


def jobs(work: Work) -> list[Job]:
    """Return each worker's share as a job."""
    return [(run_share, (ThreadedTest, work, part, work.workers)) for part in range(work.workers)]


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One test after the other, as `python -m unittest` runs them."""
    return summed_up([run_share(ThreadedTest, work, 0, 1)])


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Shares in threads: what tests share must bear it."""
    return summed_up(THREADS.run(jobs(work), NAME))


@WORKLOAD.mode(imports=("multiprocessing.process",))
def processes(work: Work) -> Result:
    """Shares in processes: nothing is shared, and all cores are used."""
    return summed_up(PROCESSES.run(jobs(work), NAME))


@WORKLOAD.mode(imports=("asyncio", "unittest.async_case"))
def async_(work: Work) -> Result:
    """Tests that are coroutines: an event loop for each, one after the other."""
    return summed_up([run_share(AsyncTest, work, 0, 1)])


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say how each kind of test must end."""
    outcomes = {"test_known_defect": "expected failure", "test_elsewhere": "skipped"}
    return Result(
        [
            (test_id(work, index), outcomes.get(method_of(index), "passed"))
            for index in range(work.size)
        ]
    )
