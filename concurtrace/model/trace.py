"""The decoded wait-state trace: who did what when, as columns.

A trace has a row per process and per thread, and columns with one entry per span. Times are
CLOCK_MONOTONIC nanoseconds, the same clock in every process. A ``stack`` and an ``object`` of a
column are rows of ``Trace.stacks`` and ``Trace.objects``; row 0 stands for none in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.lock_site import LockSite
from concurtrace.model.messages import Messages
from concurtrace.model.recording import Loss
from concurtrace.model.runtime import Generation, QueueLengths
from concurtrace.model.spans import (
    CoreReadings,
    Folds,
    Numbers,
    OnCore,
    Samples,
    Spans,
    Stacks,
    Times,
)
from concurtrace.model.states import State


class ObjectKind(Enum):
    """What kind of thing was waited for, by the word shown for it."""

    OTHER = "other"
    LOCK = "Lock"
    EVENT = "signal lock"
    SEMAPHORE = "Semaphore"
    MP_LOCK = "multiprocessing semaphore"
    MUTEX = "native mutex"
    COND = "native condition"
    FILE = "file"
    PIPE = "pipe"
    UNIX = "unix socket"
    TCP = "TCP connection"
    UDP = "UDP socket"
    LISTEN = "listening socket"
    EPOLL = "epoll"
    TTY = "terminal"
    EVENTFD = "eventfd"
    POLLSET = "poll set"
    SOCKET = "socket"
    DNS = "name lookup"

    @property
    def is_lock(self) -> bool:
        """Whether threads exclude each other or signal each other with it."""
        return self in _LOCK_KINDS


_LOCK_KINDS = frozenset(
    (
        ObjectKind.LOCK,
        ObjectKind.EVENT,
        ObjectKind.SEMAPHORE,
        ObjectKind.MP_LOCK,
        ObjectKind.MUTEX,
        ObjectKind.COND,
    )
)


@dataclass(frozen=True)
class WaitObject:
    """A lock, file, pipe, peer… that was waited for; counters are exact totals of its process.

    ``text`` is a path, ``ip:port`` or a semaphore's name. The same ``key`` is the same thing, in
    all processes for kinds that processes share, else within ``process`` (row of the process).
    """

    kind: ObjectKind
    process: int
    key: int
    text: str = ""
    created_ns: int = 0
    created_stack: int = 0
    creator_tid: int = 0
    acquisitions: int = 0
    contended: int = 0
    wait_ns: int = 0
    hold_ns: int = 0
    handed: int = 0
    """How often a thread let go of it that had not taken it: then it is used as a signal."""

    @property
    def only_counted(self) -> bool:
        """Whether it is known for being shared by processes alone, and nobody waited for it."""
        return self.kind is ObjectKind.MP_LOCK and not self.contended


@dataclass(frozen=True)
class LockOrder:
    """A lock that was taken, or waited for, while others were held.

    ``taken`` and ``held`` are rows of ``Trace.objects``, the latter in the order of taking.
    ``tids`` are those who did so, and perhaps others where ``many`` is true; ``stack`` is where, at
    first.
    """

    taken: int
    held: tuple[int, ...]
    tids: tuple[int, ...]
    many: bool = False
    stack: int = 0


@dataclass(frozen=True)
class WaitedFor:
    """Time a thread waited for the GIL until the thread ``tid`` let go of it; 0 = any other."""

    tid: int
    ns: int
    count: int


@dataclass(frozen=True)
class GilUse:
    """Exact GIL figures of one thread."""

    held_ns: int = 0
    holds: int = 0
    wait_ns: int = 0
    waits: int = 0
    longest_wait_ns: int = 0
    forced: int = 0
    waited_for: tuple[WaitedFor, ...] = ()


@dataclass(frozen=True)
class StateTotal:
    """Time and number of spans of one state; ``folded`` of them are in no span of the columns."""

    ns: int
    count: int
    folded_ns: int = 0
    folded_count: int = 0


class ThreadEnd(Enum):
    """How a thread ended."""

    RETURNED = "its function returned"
    STOPPED = "it was ended in the middle, as Python does while it winds up"
    ALIVE = "it was still there when its process ended"


@dataclass(frozen=True)
class Thread:
    """A thread: its spans are rows ``first`` to ``last`` (not included) of ``Trace.spans``.

    ``totals`` are exact, hold no state that did not occur, and sum to the lifetime. ``process``
    is a row of ``Trace.processes``. ``cpu_ns`` is the kernel's own figure, None if unknown;
    ``major_faults`` counts pages that the thread had to wait for until they were read from a disk,
    as of its end or its last long wait.
    """

    tid: int
    process: int
    name: str
    start_ns: int
    end_ns: int
    first: int
    last: int
    totals: Mapping[State, StateTotal]
    gil: GilUse = GilUse()
    is_main: bool = False
    runs_python: bool = True
    creator_tid: int = 0
    cpu_ns: int | None = None
    ended: ThreadEnd = ThreadEnd.RETURNED
    major_faults: int | None = None

    @property
    def lifetime_ns(self) -> int:
        """How long it lived."""
        return self.end_ns - self.start_ns

    def ns(self, *states: State) -> int:
        """Sum up the time in some states."""
        return sum(self.totals[state].ns for state in states if state in self.totals)


class EndedBy(Enum):
    """How a process ended."""

    EXIT = "exit"
    SIGNAL = "signal"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Process:
    """A process of the target; its threads are rows ``first`` to ``last`` of ``Trace.threads``.

    One that ran no Python has no threads: it is one span, from ``start_ns`` to ``end_ns``.
    ``parent`` is a row of ``Trace.processes``, None for the first process. ``started_by`` is
    multiprocessing's start method, ``main`` or ``subprocess``; ``images`` counts the programs it
    became by exec, ``command`` is the last one's. ``python_ns`` is when the interpreter was ready,
    ``work_ns`` when what the process was made for began; None where nobody told. So are
    ``collections``, the runs of its garbage collector by generation.
    """

    pid: int
    parent_pid: int
    parent: int | None
    name: str
    started_by: str
    start_ns: int
    end_ns: int
    ended_by: EndedBy
    exit_code: int | None
    signal: int | None
    command: tuple[str, ...]
    first: int
    last: int
    creator_tid: int = 0
    images: int = 1
    python: str | None = None
    python_ns: int | None = None
    work_ns: int | None = None
    collections: tuple[Generation, ...] | None = None

    @property
    def ended_words(self) -> str:
        """How it ended: ``exit``, ``signal 9`` or ``unknown``."""
        if self.ended_by is EndedBy.SIGNAL:
            return f"signal {self.signal}"
        return str(self.ended_by.value)


class Origin(Enum):
    """Where the states come from, in words for reports."""

    RECORDED = "recorded exactly"
    ESTIMATED = "estimated by sampling"


class CoreSource(Enum):
    """Where ``RUNNABLE`` and core numbers come from."""

    SWITCHES = "every context switch, from the kernel"
    BOTH = "context switches, and the scheduler's counters where switches were too many"
    READINGS = "the scheduler's counters, read now and then"
    NONE = "nothing: ready threads count as running"


@dataclass(frozen=True, eq=False)
class Trace:
    """The wait states of every thread of every process.

    In ``gaps_ns`` (rows of start and end) no switches were recorded, only readings.
    ``min_span_ns`` is the threshold below which spans were folded: at the start, and at the end
    of the recording. ``gil`` tells whether there was a GIL to wait for.
    """

    processes: tuple[Process, ...]
    threads: tuple[Thread, ...]
    spans: Spans
    start_ns: int
    end_ns: int
    folds: Folds = field(default_factory=Folds.empty)
    stacks: Stacks = field(default_factory=Stacks.none)
    objects: tuple[WaitObject, ...] = (WaitObject(ObjectKind.OTHER, 0, 0),)
    orders: tuple[LockOrder, ...] = ()
    sites: tuple[LockSite, ...] = ()
    messages: Messages = field(default_factory=Messages)
    queues: tuple[QueueLengths, ...] = ()
    on_core: OnCore | None = None
    readings: CoreReadings | None = None
    gaps_ns: Times = field(default_factory=lambda: np.empty((0, 2), np.int64))
    samples: Samples | None = None
    origin: Origin = Origin.RECORDED
    gil: bool = True
    min_span_ns: tuple[int, int] = (0, 0)
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def wall_ns(self) -> int:
        """From the first process's start to the last one's end."""
        return self.end_ns - self.start_ns

    @property
    def core_source(self) -> CoreSource:
        """Where RUNNABLE and core numbers come from."""
        if self.on_core is None:
            return CoreSource.NONE if self.readings is None else CoreSource.READINGS
        return CoreSource.BOTH if len(self.gaps_ns) else CoreSource.SWITCHES

    def spans_of(self, thread: Thread) -> Spans:
        """Return the spans of one thread, as views."""
        return self.spans.take(slice(thread.first, thread.last))

    def threads_of(self, process: Process) -> tuple[Thread, ...]:
        """Return the threads of one process."""
        return self.threads[process.first : process.last]

    @cached_property
    def span_threads(self) -> Numbers:
        """The row of the thread of every span."""
        lengths = [thread.last - thread.first for thread in self.threads]
        return np.repeat(np.arange(len(lengths), dtype=np.uint32), lengths)

    @cached_property
    def _threads_by_tid(self) -> dict[int, tuple[Times, NDArray[np.intp]]]:
        """Starts and rows of the threads that had each tid, in order of time."""
        found: dict[int, list[tuple[int, int]]] = {}
        for row, thread in enumerate(self.threads):
            found.setdefault(thread.tid, []).append((thread.start_ns, row))
        return {
            tid: (
                np.array([start for start, _ in sorted(many)], np.int64),
                np.array([row for _, row in sorted(many)], np.intp),
            )
            for tid, many in found.items()
        }

    def rows_of(self, tids: Numbers, times_ns: Times) -> NDArray[np.intp]:
        """Find the rows of the threads that had these tids at these times; -1 = none.

        A tid is unique among all threads that live at one time, and may be used again later.
        """
        found = np.full(len(tids), -1, np.intp)
        order = np.argsort(tids, kind="stable")
        ordered = tids[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] + 1))
        for part in np.split(order, starts[1:]) if len(starts) else ():
            tid = int(tids[part[0]])
            if not tid or tid not in self._threads_by_tid:
                continue
            began, rows = self._threads_by_tid[tid]
            places = np.searchsorted(began, times_ns[part], side="right") - 1
            found[part] = np.where(places >= 0, rows[np.maximum(places, 0)], -1)
        return found
