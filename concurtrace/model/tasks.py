"""What event loops did, as columns: loops, tasks, their steps, and where they waited.

Times are CLOCK_MONOTONIC nanoseconds, the same clock as that of ``Trace``. A ``stack`` is a row of
``TaskTrace.stacks``; a task, loop or process is a row of its table, ``NOBODY`` where there is none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from typing import Self

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.recording import Loss
from concurtrace.model.spans import Columns, Numbers, Small, Stacks, Times

Rows = NDArray[np.int32]

NOBODY = -1
BUCKETS = 128
"""Buckets of a loop's histograms; see ``bucket_ns``."""


class TaskState(Enum):
    """What a task does; exactly one at any instant. ``code`` is its number in columns."""

    CREATED = "made, its first step pending"
    READY = "could go on, but the loop was busy"
    RUNNING = "on the loop's thread"
    AWAITING = "waiting for something"
    CANCELLING = "was asked to end, and does not run"
    DONE = "ended"

    code: int

    def __init__(self, _sentence: str) -> None:
        self.code = len(type(self).__members__)


class Await(Enum):
    """What kind of thing a task awaits, by the word shown for it."""

    TIMER = "timer"
    IO = "io"
    SYNC = "sync"
    QUEUE = "queue"
    TASK = "task"
    EXECUTOR = "executor"
    OTHER = "other"

    code: int

    def __init__(self, _word: str) -> None:
        self.code = len(type(self).__members__)


class Source(Enum):
    """Where a wake-up came from."""

    UNKNOWN = 0
    TASK = 1
    CALLBACK = 2
    IO = 3
    TIMER = 4
    THREAD = 5
    START = 6
    ITSELF = 7


class Outcome(Enum):
    """How a task ended, in words."""

    PENDING = "pending at the end"
    OK = "done"
    ERROR = "failed"
    CANCELLED = "cancelled"
    DESTROYED = "destroyed while pending"


class Flavour(Enum):
    """Whose loop it is."""

    ASYNCIO = "asyncio"
    GREENLET = "greenlets"
    TWISTED = "Twisted"
    UNKNOWN = "another loop"


class StepFlag(IntFlag):
    """Bits of ``Steps.flags``."""

    FIRST = 1
    LAST = 2
    NESTED = 4
    YIELDED = 8
    """It had awaited nothing, only let others go first."""
    ON_TASK = 16
    GATHER = 32
    ERROR = 64
    CANCELLING = 128
    """The task had been asked to end before it began."""


class TaskFlag(IntFlag):
    """Bits of ``Tasks.flags``."""

    GROUP = 1
    """Not one task but ``count`` ended ones of one coroutine, made at one place."""
    SHUTDOWN = 2
    """Pending when its loop was shut down."""
    HUB = 4


@dataclass(frozen=True, eq=False)
class Steps(Columns):
    """Steps of tasks and slow callbacks (task = NOBODY), those of a loop in order of their start.

    The step began at ``start_ns``; before it the task was ready for ``ready_ns``, and before that
    it had waited for ``await_ns`` at ``stack`` (of a callback: its function). ``waker`` is the
    task that ended the wait, ``waker_tid`` the thread in which that was done if it is another,
    ``thing`` a row of ``TaskTrace.things``: the peer that answered.
    """

    start_ns: Times
    end_ns: Times
    ready_ns: Times
    await_ns: Times
    task: Rows
    loop: Rows
    stack: Numbers
    waker: Rows
    waker_tid: Numbers
    thing: Numbers
    source: Small
    flags: Small

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        time, row, word, byte = np.int64, np.int32, np.uint32, np.uint8
        return time, time, time, time, row, row, word, row, word, word, byte, byte

    @property
    def dur_ns(self) -> Times:
        """How long each step took."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, eq=False)
class Tasks(Columns):
    """Tasks in order of creation within each process; totals are exact.

    ``since_ns`` is when it came into its ``state``, for ended ones their end. ``made_at`` is the
    stack of its creation, ``code`` a row of ``stacks.functions``; ``waiter`` awaited it last.
    """

    process: Rows
    loop: Rows
    parent: Rows
    waiter: Rows
    awaits: Rows
    gathering: Numbers
    made_at: Numbers
    code: Numbers
    waits_at: Numbers
    state: Small
    outcome: Small
    flags: Small
    created_ns: Times
    since_ns: Times
    steps: Times
    running_ns: Times
    ready_ns: Times
    created_total_ns: Times
    awaiting_ns: Times
    cancelling_ns: Times
    longest_step_ns: Times
    longest_step_at_ns: Times
    longest_ready_ns: Times
    yields: Times
    count: Times
    kept: Times

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        row, word, byte, time = np.int32, np.uint32, np.uint8, np.int64
        return (*[row] * 5, *[word] * 4, *[byte] * 3, *[time] * 14)


@dataclass(frozen=True, eq=False)
class Sites(Columns):
    """Waits at one place that ended in one way: exact totals, also of what was not kept singly."""

    process: Rows
    stack: Numbers
    source: Small
    count: Times
    ns: Times
    longest_ns: Times
    ready_ns: Times
    on_tasks: Times

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        return np.int32, np.uint32, np.uint8, *[np.int64] * 5


@dataclass(frozen=True, eq=False)
class Jobs(Columns):
    """Work given to an executor's threads; ``started_ns`` is 0 where it never began."""

    process: Rows
    task: Rows
    from_tid: Numbers
    tid: Numbers
    stack: Numbers
    submitted_ns: Times
    started_ns: Times
    ended_ns: Times

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        return np.int32, np.int32, *[np.uint32] * 3, *[np.int64] * 3


@dataclass(frozen=True, eq=False)
class Cancels(Columns):
    """Tasks that were asked to end: when, by which task (NOBODY = none) and at which ``stack``.

    ``until_ns`` is when that was taken back, as ``asyncio.timeout`` does; 0 where it never was.
    """

    time_ns: Times
    until_ns: Times
    task: Rows
    by: Rows
    stack: Numbers

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        return np.int64, np.int64, np.int32, np.int32, np.uint32


@dataclass(frozen=True, eq=False)
class Loop:
    """A loop; ``lag`` counts callbacks by how late they ran, ``iteration`` its rounds by length.

    ``idle_ns`` is its time in the selector with nothing ready, ``in_ns`` that in rounds in all;
    ``ready_sum`` adds up the callbacks of all rounds.
    """

    process: int
    tid: int
    flavour: Flavour
    name: str
    start_ns: int
    end_ns: int
    iterations: int
    idle_ns: int
    in_ns: int
    steps: int
    steps_ns: int
    callbacks: int
    callbacks_ns: int
    longest_iteration_ns: int
    longest_iteration_at_ns: int
    ready_sum: int
    ready_most: int
    lag_most_ns: int
    lag: Times
    iteration: Times


class FaultKind(Enum):
    """Something that went wrong and that nobody was told of."""

    NEVER_RETRIEVED = "exception never retrieved"
    DESTROYED_PENDING = "task destroyed while pending"
    NEVER_AWAITED = "coroutine never awaited"
    CALLBACK_FAILED = "exception in a callback"


@dataclass(frozen=True)
class Fault:
    """One of them: ``text`` names the exception or the coroutine, ``stack`` is where."""

    kind: FaultKind
    process: int
    time_ns: int
    text: str
    stack: int


@dataclass(frozen=True)
class TaskProcess:
    """A process with event loops; ``end_ns`` is None where it was killed."""

    pid: int
    start_ns: int
    end_ns: int | None
    steps: int
    steps_kept: int
    tasks: int
    grouped: int
    threshold_ns: int


@dataclass(frozen=True, eq=False)
class TaskTrace:
    """Everything that event loops of the target did."""

    processes: tuple[TaskProcess, ...] = ()
    loops: tuple[Loop, ...] = ()
    tasks: Tasks = field(default_factory=Tasks.empty)
    names: tuple[str, ...] = ()
    """Of each task."""
    steps: Steps = field(default_factory=Steps.empty)
    sites: Sites = field(default_factory=Sites.empty)
    jobs: Jobs = field(default_factory=Jobs.empty)
    cancels: Cancels = field(default_factory=Cancels.empty)
    stacks: Stacks = field(default_factory=Stacks.none)
    things: tuple[str, ...] = ("",)
    faults: tuple[Fault, ...] = ()
    losses: tuple[Loss, ...] = ()

    @classmethod
    def nothing(cls) -> Self:
        """Make the trace of a target without event loops."""
        return cls()

    def cancelled_from_ns(self) -> Times:
        """Tell for each step from when on, in the wait before it, its task was about to end.

        That is the step's start where nobody had asked it to. Where the asking was not kept, it is
        when the wait began.
        """
        steps, cancels = self.steps, self.cancels
        found = steps.start_ns.copy()
        began = steps.start_ns - steps.ready_ns - steps.await_ns
        asked: dict[int, list[int]] = defaultdict(list)
        for row in np.argsort(cancels.time_ns, kind="stable").tolist():
            asked[int(cancels.task[row])].append(int(cancels.time_ns[row]))
        for step in np.flatnonzero((steps.flags & StepFlag.CANCELLING) != 0).tolist():
            times = asked.get(int(steps.task[step]), [])
            place = bisect_right(times, int(steps.start_ns[step])) - 1
            found[step] = max(times[place] if place >= 0 else 0, int(began[step]))
        return found


def bucket_ns(bucket: int) -> int:
    """Return where a bucket of a histogram begins, in nanoseconds: ``tk_bucket`` turned round."""
    return (4 + bucket % 4) << (bucket // 4 + 6) if bucket else 0


def percentile_ns(histogram: Times, share: float) -> int:
    """Return the value below which a share of a histogram lies, to within a bucket's width."""
    total = int(histogram.sum())
    if not total:
        return 0
    reached = np.cumsum(histogram) >= share * total
    return bucket_ns(int(np.argmax(reached)) + 1) if reached.any() else bucket_ns(BUCKETS)
