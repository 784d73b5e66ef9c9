"""Make a wait-state trace in a sentence: ``trace().thread("main").running(80).waits_gil(20)``.

Times are milliseconds. Spans of a thread follow each other; ``thread`` begins a new one or goes on
with one of that name. A place is written ``"file.py:9 in f"``, a waker by its thread's name.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from concurtrace.model.recording import Function
from concurtrace.model.spans import NO_CORE, Left, OnCore, Samples, SpanFlag, Spans, Stacks
from concurtrace.model.states import STATES, Reason, State
from concurtrace.model.trace import (
    EndedBy,
    GilUse,
    ObjectKind,
    Process,
    StateTotal,
    Thread,
    Trace,
    WaitedFor,
    WaitObject,
)

MS = 1_000_000
ZERO_NS = 1_000_000 * MS
_HELD = (State.RUNNING, State.GIL_BLOCKED)


@dataclass
class _Span:
    start_ns: int
    end_ns: int
    state: State
    reason: Reason
    by: str | None
    stack: int
    object: int
    core: int


@dataclass
class _Thread:
    tid: int
    name: str
    process: int
    start_ns: int
    spans: list[_Span] = field(default_factory=list)

    @property
    def end_ns(self) -> int:
        return self.spans[-1].end_ns if self.spans else self.start_ns


class TraceBuilder:
    """A trace under construction; every method but ``build`` returns the builder."""

    def __init__(self) -> None:
        self._processes: list[tuple[str, int, int | None, str]] = []
        self._threads: list[_Thread] = []
        self._stacks: dict[tuple[tuple[str, int, str], ...], int] = {(): 0}
        self._objects: list[WaitObject] = [WaitObject(ObjectKind.OTHER, 0, 0)]
        self._names: dict[str, int] = {}
        self._tids = itertools.count(100)
        self._samples: list[tuple[int, int, State, int, int]] = []

    def process(self, name: str, parent: int | None = None, started_by: str = "fork") -> Self:
        """Begin a process; threads that follow are its own."""
        pid = next(self._tids)
        self._processes.append((name, pid, parent, started_by))
        return self

    def thread(self, name: str, start: float = 0) -> Self:
        """Begin a thread ``start`` ms after the trace, or go on with one of that name."""
        if not self._processes:
            self.process("MainProcess", started_by="main")
        process = len(self._processes) - 1
        found = [one for one in self._threads if (one.name, one.process) == (name, process)]
        if found:
            self._threads.remove(found[0])
        first = not any(one.process == process for one in self._threads) and not found
        tid = self._processes[process][1] if first else next(self._tids)
        fresh = _Thread(tid, name, process, ZERO_NS + round(start * MS))
        self._threads.append(found[0] if found else fresh)
        return self

    def lock(self, name: str, made_at: str = "", kind: ObjectKind = ObjectKind.LOCK) -> Self:
        """Say where a lock was made; waits name it."""
        self._names[name] = len(self._objects)
        stack = self._stack(made_at)
        row = len(self._objects)
        self._objects.append(WaitObject(kind, 0, row, name, created_stack=stack))
        return self

    def span(
        self,
        state: State,
        ms: float,
        reason: Reason = Reason.NONE,
        *,
        by: str | None = None,
        at: str = "",
        on: str = "",
        core: int = NO_CORE,
    ) -> Self:
        """Add a span of any state; ``at`` is one place or several, innermost first, by `` < ``."""
        thread = self._threads[-1]
        start = thread.end_ns
        if on and on not in self._names:
            self.lock(on)
        row = self._names.get(on, 0)
        end = start + round(ms * MS)
        thread.spans.append(_Span(start, end, state, reason, by, self._stack(at), row, core))
        return self

    def running(self, ms: float, *, at: str = "", core: int = NO_CORE) -> Self:
        """Run with the GIL."""
        return self.span(State.RUNNING, ms, at=at, core=core)

    def runs_free(self, ms: float, *, at: str = "", core: int = NO_CORE) -> Self:
        """Run without the GIL."""
        return self.span(State.RUNNING_NOGIL, ms, at=at, core=core)

    def ready(self, ms: float, reason: Reason = Reason.PREEMPTED) -> Self:
        """Be ready without a core."""
        return self.span(State.RUNNABLE, ms, reason)

    def waits_gil(self, ms: float, *, by: str | None = None, at: str = "") -> Self:
        """Wait for the GIL, until ``by`` let go of it."""
        return self.span(State.GIL_WAIT, ms, by=by, at=at)

    def blocks_gil(self, ms: float, reason: Reason = Reason.SLEEP, *, at: str = "") -> Self:
        """Sleep with the GIL held."""
        return self.span(State.GIL_BLOCKED, ms, reason, at=at)

    def waits_lock(self, ms: float, on: str, *, by: str | None = None, at: str = "") -> Self:
        """Wait for a lock, until ``by`` let go of it."""
        return self.span(State.LOCK_WAIT, ms, by=by, at=at, on=on)

    def waits(
        self, ms: float, reason: Reason, *, by: str | None = None, at: str = "", on: str = ""
    ) -> Self:
        """Wait to be told something."""
        return self.span(State.CONDITION_WAIT, ms, reason, by=by, at=at, on=on)

    def io(self, ms: float, reason: Reason = Reason.NET, *, at: str = "", by: str = "") -> Self:
        """Wait for input or output."""
        return self.span(State.IO_WAIT, ms, reason, at=at, by=by or None)

    def sleeps(self, ms: float, *, at: str = "") -> Self:
        """Sleep as asked."""
        return self.span(State.SLEEP, ms, at=at)

    def waits_child(self, ms: float, *, at: str = "") -> Self:
        """Wait for a child process."""
        return self.span(State.CHILD_WAIT, ms, at=at)

    def unknown(self, ms: float) -> Self:
        """Do what nothing explains."""
        return self.span(State.UNKNOWN, ms)

    def sample(
        self, ms: float, at: str, state: State = State.RUNNING, stands_for: float = 10
    ) -> Self:
        """Look at the thread ``ms`` after the start of the trace; ``stands_for`` is in ms too."""
        time_ns, weight = ZERO_NS + round(ms * MS), round(stands_for * MS)
        row = (time_ns, self._threads[-1].tid, state, self._stack(at), weight)
        self._samples.append(row)
        return self

    def _stack(self, places: str) -> int:
        frames = tuple(_place(one) for one in places.split(" < ")) if places else ()
        for depth in range(len(frames)):
            outer = frames[len(frames) - 1 - depth :]
            self._stacks.setdefault(outer, len(self._stacks))
        return self._stacks[frames]

    def build(self, **changes: object) -> Trace:
        """Make the trace; ``changes`` replace fields of it."""
        self._threads.sort(key=lambda one: one.process)
        tids = {one.name: one.tid for one in self._threads}
        threads, first = [], 0
        for one in self._threads:
            threads.append(_finish(one, first, tids, self._processes[one.process][1]))
            first += len(one.spans)
        flat = [span for one in self._threads for span in one.spans]
        on_core = self._on_core()
        made = Trace(
            processes=self._all_processes(),
            threads=tuple(threads),
            spans=_columns(flat, tids),
            start_ns=min((one.start_ns for one in self._threads), default=ZERO_NS),
            end_ns=max((one.end_ns for one in self._threads), default=ZERO_NS),
            stacks=_stack_table(self._stacks),
            objects=tuple(self._total_objects(flat)),
            on_core=on_core if len(on_core) else None,
            samples=_sample_columns(self._samples),
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    def _all_processes(self) -> tuple[Process, ...]:
        made = []
        for number, (name, pid, parent, started_by) in enumerate(self._processes):
            rows = [n for n, one in enumerate(self._threads) if one.process == number]
            mine = [self._threads[row] for row in rows]
            made.append(
                Process(
                    pid=pid,
                    parent_pid=self._processes[parent][1] if parent is not None else 1,
                    parent=parent,
                    name=name,
                    started_by=started_by,
                    start_ns=min((one.start_ns for one in mine), default=ZERO_NS),
                    end_ns=max((one.end_ns for one in mine), default=ZERO_NS),
                    ended_by=EndedBy.EXIT,
                    exit_code=0,
                    signal=None,
                    command=("python", "app.py"),
                    first=min(rows, default=0),
                    last=max(rows, default=-1) + 1,
                )
            )
        return tuple(made)

    def _total_objects(self, spans: list[_Span]) -> list[WaitObject]:
        waits = [[span for span in spans if span.object == n] for n in range(len(self._objects))]
        return [
            replace(one, contended=len(mine), wait_ns=sum(s.end_ns - s.start_ns for s in mine))
            for one, mine in zip(self._objects, waits, strict=True)
        ]

    def _on_core(self) -> OnCore:
        rows = sorted(
            (one.tid, span.start_ns, span.end_ns, span.core)
            for one in self._threads
            for span in one.spans
            if span.core != NO_CORE
        )
        return OnCore(
            start_ns=np.array([row[1] for row in rows], np.int64),
            end_ns=np.array([row[2] for row in rows], np.int64),
            tid=np.array([row[0] for row in rows], np.uint32),
            core=np.array([row[3] for row in rows], np.int16),
            left=np.full(len(rows), Left.ASLEEP.value, np.uint8),
        )


def trace() -> TraceBuilder:
    """Begin a trace."""
    return TraceBuilder()


def _place(text: str) -> tuple[str, int, str]:
    at, _, name = text.partition(" in ")
    file, _, line = at.rpartition(":")
    return file, int(line), name


def _stack_table(stacks: Mapping[tuple[tuple[str, int, str], ...], int]) -> Stacks:
    functions: dict[Function, int] = {Function("", 0, ""): 0}
    parents, codes, lines = [0] * len(stacks), [0] * len(stacks), [0] * len(stacks)
    for frames, row in stacks.items():
        if not frames:
            continue
        file, line, name = frames[0]
        codes[row] = functions.setdefault(Function(file, 1, name), len(functions))
        parents[row], lines[row] = stacks[frames[1:]], line
    columns = [np.array(values, np.uint32) for values in (parents, codes, lines)]
    return Stacks(columns[0], columns[1], columns[2], tuple(functions))


def _columns(spans: list[_Span], tids: Mapping[str, int]) -> Spans:
    flags = [SpanFlag.GIL_HELD if one.state in _HELD else 0 for one in spans]
    return Spans(
        start_ns=np.array([one.start_ns for one in spans], np.int64),
        end_ns=np.array([one.end_ns for one in spans], np.int64),
        state=np.array([one.state.code for one in spans], np.uint8),
        reason=np.array([one.reason.code for one in spans], np.uint8),
        flags=np.array(flags, np.uint8),
        core=np.array([one.core for one in spans], np.int16),
        waker=np.array([tids[one.by] if one.by else 0 for one in spans], np.uint32),
        stack=np.array([one.stack for one in spans], np.uint32),
        object=np.array([one.object for one in spans], np.uint32),
    )


def _sample_columns(rows: list[tuple[int, int, State, int, int]]) -> Samples | None:
    if not rows:
        return None
    times, tids, states, stacks, weights = zip(*sorted(rows, key=lambda one: one[0]), strict=True)
    return Samples(
        time_ns=np.array(times, np.int64),
        tid=np.array(tids, np.uint32),
        state=np.array([one.code for one in states], np.uint8),
        core=np.full(len(rows), NO_CORE, np.int16),
        stack=np.array(stacks, np.uint32),
        weight_ns=np.array(weights, np.int64),
    )


def _finish(one: _Thread, first: int, tids: Mapping[str, int], pid: int) -> Thread:
    totals = {}
    for state in STATES:
        mine = [span.end_ns - span.start_ns for span in one.spans if span.state is state]
        if mine:
            totals[state] = StateTotal(sum(mine), len(mine))
    held = [span for span in one.spans if span.state in _HELD]
    waits = [span for span in one.spans if span.state is State.GIL_WAIT]
    pairs: dict[int, list[int]] = {}
    for span in waits:
        pairs.setdefault(tids[span.by] if span.by else 0, []).append(span.end_ns - span.start_ns)
    gil = GilUse(
        held_ns=sum(span.end_ns - span.start_ns for span in held),
        holds=len(held),
        wait_ns=sum(map(sum, pairs.values())),
        waits=len(waits),
        longest_wait_ns=max((span.end_ns - span.start_ns for span in waits), default=0),
        waited_for=tuple(
            WaitedFor(tid, sum(times), len(times)) for tid, times in sorted(pairs.items())
        ),
    )
    return Thread(
        tid=one.tid,
        process=one.process,
        name=one.name,
        start_ns=one.start_ns,
        end_ns=one.end_ns,
        first=first,
        last=first + len(one.spans),
        totals=totals,
        gil=gil,
        is_main=one.tid == pid,
    )
