"""The columns of a wait-state trace: spans, what was folded, cores, samples and stacks.

An entry per span, switch, reading or sample. Times are CLOCK_MONOTONIC nanoseconds, the same clock
in every process. A ``stack`` and an ``object`` are rows of ``Trace.stacks`` and ``Trace.objects``;
row 0 stands for none in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Self

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.recording import Function
from concurtrace.model.states import REASONS, STATES, Reason, State

Times = NDArray[np.int64]
Numbers = NDArray[np.uint32]
Small = NDArray[np.uint8]
Selection = slice | NDArray[np.bool_] | NDArray[np.intp]

NO_CORE = -1


class SpanFlag(IntFlag):
    """Bits of ``Spans.flags``."""

    FORCED = 4
    """A wait for the GIL right after a release that another thread had asked for."""
    GIL_HELD = 8
    TIMED = 16
    TIMED_OUT = 32
    FAILED = 64
    WRITE = 128


@dataclass(frozen=True, eq=False)
class Columns:
    """Arrays of one length, an entry of each per row."""

    def __len__(self) -> int:
        return len(getattr(self, self.names()[0]))

    def take(self, rows: Selection) -> Self:
        """Select rows: a slice gives views, a mask or indices give copies."""
        return type(self)(*[getattr(self, name)[rows] for name in self.names()])

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(cls.__dataclass_fields__)

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Lay columns end to end."""
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        columns = [[getattr(part, name) for part in parts] for name in cls.names()]
        return cls(*map(np.concatenate, columns))

    @classmethod
    def empty(cls) -> Self:
        """Make columns without rows."""
        return cls(*(np.empty(0, kind) for kind in cls.kinds()))

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Spans(Columns):
    """Spans of threads: those of one thread follow each other in time and never overlap.

    ``waker`` is the tid of the thread that ended the wait (the pid of the child for
    ``CHILD_WAIT``), 0 where it is not known. A gap between two spans holds folded ones.
    """

    start_ns: Times
    end_ns: Times
    state: Small
    reason: Small
    flags: Small
    core: NDArray[np.int16]
    waker: Numbers
    stack: Numbers
    object: Numbers

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        word, byte = np.uint32, np.uint8
        return np.int64, np.int64, byte, byte, byte, np.int16, word, word, word

    @property
    def dur_ns(self) -> Times:
        """How long each span took."""
        return self.end_ns - self.start_ns

    def in_state(self, *states: State) -> NDArray[np.bool_]:
        """Tell which spans are in one of the states."""
        chosen = np.zeros(256, bool)
        chosen[[state.code for state in states]] = True
        found: NDArray[np.bool_] = chosen[self.state]
        return found

    def rows(self) -> Iterator[tuple[int, int, State, Reason]]:
        """Walk over (start_ns, end_ns, state, reason): for tests and small selections."""
        for start, end, state, reason in zip(
            self.start_ns.tolist(),
            self.end_ns.tolist(),
            self.state.tolist(),
            self.reason.tolist(),
            strict=True,
        ):
            yield start, end, STATES[state], REASONS[reason]


@dataclass(frozen=True, eq=False)
class Folds(Columns):
    """Sums of spans too short to be kept: ``ns`` of a state within a window of a thread."""

    thread: Numbers
    start_ns: Times
    end_ns: Times
    ns: Times
    count: Times
    state: Small

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        return np.uint32, np.int64, np.int64, np.int64, np.int64, np.uint8


class Left(Enum):
    """Why a thread left its core."""

    ASLEEP = 0
    PREEMPTED = 1
    STILL_ON = 2
    """The recording ended first, or a record was lost."""


@dataclass(frozen=True, eq=False)
class OnCore(Columns):
    """Who was on which core: stretches of a thread on a core, sorted by tid and start.

    Stretches of one tid never overlap, and neither do those on one core. ``left`` holds the
    values of ``Left``.
    """

    start_ns: Times
    end_ns: Times
    tid: Numbers
    core: NDArray[np.int16]
    left: Small

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        return np.int64, np.int64, np.uint32, np.int16, np.uint8


@dataclass(frozen=True, eq=False)
class CoreReadings(Columns):
    """Readings of a thread's scheduler counters, where no switch records could be had.

    ``on_core_ns`` and ``ready_ns`` count up from the thread's start (/proc/PID/task/TID/schedstat);
    sorted by tid and time.
    """

    time_ns: Times
    tid: Numbers
    core: NDArray[np.int16]
    on_core_ns: Times
    ready_ns: Times

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        return np.int64, np.uint32, np.int16, np.int64, np.int64


@dataclass(frozen=True, eq=False)
class Samples(Columns):
    """Python stacks of running threads at moments, in order of time.

    ``state`` is the thread's at that moment, ``core`` NO_CORE where it is not known. ``weight_ns``
    is the time that a sample stands for: since the moment before at which threads were looked at.
    """

    time_ns: Times
    tid: Numbers
    state: Small
    core: NDArray[np.int16]
    stack: Numbers
    weight_ns: Times

    @classmethod
    def kinds(cls) -> tuple[type, ...]:
        """The element types of the columns, in order."""
        return np.int64, np.uint32, np.uint8, np.int16, np.uint32, np.int64


@dataclass(frozen=True)
class Frame:
    """A place in a stack: ``line`` is the line that was being executed."""

    function: Function
    line: int


@dataclass(frozen=True, eq=False)
class Stacks:
    """Interned stacks: row = one frame, ``parent`` = row of its caller, 0 = outermost.

    ``code`` is a row of ``functions``.
    """

    parent: Numbers
    code: Numbers
    line: Numbers
    functions: tuple[Function, ...]

    def frames(self, stack: int) -> tuple[Frame, ...]:
        """Return the frames of a stack, innermost first."""
        found = []
        while stack:
            found.append(Frame(self.functions[int(self.code[stack])], int(self.line[stack])))
            stack = int(self.parent[stack])
        return tuple(found)

    @classmethod
    def none(cls) -> Stacks:
        """Make a table that holds only row 0, the absent stack."""
        zero = np.zeros(1, np.uint32)
        return cls(zero, zero, zero, (Function("", 0, ""),))
