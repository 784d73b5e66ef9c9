"""A running target now: what every thread does, where, and who has what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from concurtrace.analysis.places import made_by, own_frame, where
from concurtrace.model.spans import NO_CORE, Frame, Spans
from concurtrace.model.states import REASONS, STATES, Reason, State
from concurtrace.recording.live import LiveProcess, LiveThread, is_running, read_live
from concurtrace.recording.live_locks import LiveLock, LiveLocks
from concurtrace.recording.live_stacks import LiveStacks, Sighting
from concurtrace.recording.live_tasks import TaskCounts, count_tasks
from concurtrace.recording.reasons import Refiner
from concurtrace.recording.tables import LocalStacks, StackTable

RECENT_NS = 1_000_000_000
"""Where a thread was seen longer ago, in another span, tells nothing of now."""

_Totals = Mapping[State, int]


@dataclass(frozen=True)
class ThreadView:
    """A thread now: for how long it has been in its state, where, and what it waits for.

    ``where`` is the user's line in which it was seen last, "" if not known; ``awaits`` says in
    words what it waits for and who has that. ``shares`` are those of the time since the look
    before, the largest first; none at the first look.
    """

    tid: int
    name: str
    state: State
    reason: Reason
    lasts_ns: int
    where: str
    awaits: str
    holds_gil: bool
    shares: tuple[tuple[State, float], ...]


@dataclass(frozen=True)
class ProcessView:
    """A process now; ``tasks`` is None where it runs no event loop."""

    pid: int
    name: str
    has_gil: bool
    threads: tuple[ThreadView, ...]
    tasks: TaskCounts | None


class Watch:
    """Looks at the recording of one pass, again and again; nothing in the target notices.

    ``states`` and ``tasks`` are the folders of these instruments; ``names`` tells what processes
    are called, by pid.
    """

    def __init__(self, states: Path, tasks: Path, names: Callable[[], Mapping[int, str]]) -> None:
        self._states, self._tasks, self._names = states, tasks, names
        self._stacks = LiveStacks(states)
        self._locks: dict[Path, LiveLocks] = {}
        self._before: dict[tuple[int, int, int], _Totals] = {}

    def look(self) -> tuple[ProcessView, ...]:
        """Return the processes that run now, in order of their start; none where all have ended."""
        found = [one for one in read_live(self._states) if is_running(one.pid, one.start_ns)]
        now_ns = time.monotonic_ns()
        found.sort(key=lambda one: one.start_ns)
        self._stacks.read_on()
        titles = {one.pid: "Python" for one in found} | dict(self._names())
        names = _names(found, titles)
        before, self._before = self._before, {}
        files = {one.path for one in found}
        self._locks = {path: known for path, known in self._locks.items() if path in files}
        return tuple(
            ProcessView(
                pid=process.pid,
                name=titles[process.pid],
                has_gil=process.has_gil,
                threads=tuple(
                    self._thread(one, process, now_ns, before, names) for one in process.threads
                ),
                tasks=count_tasks(self._tasks, process.pid),
            )
            for process in found
        )

    def _thread(
        self,
        one: LiveThread,
        process: LiveProcess,
        now_ns: int,
        before: Mapping[tuple[int, int, int], _Totals],
        names: Mapping[int, str],
    ) -> ThreadView:
        key = one.pid, one.tid, one.start_ns
        totals = self._before[key] = _totals(one, now_ns)
        seen = self._stacks.of(one.tid)
        state, reason = one.state, one.reason
        if seen is not None and seen.since_ns == one.since_ns:
            state, reason = refined(state, reason, seen.stack)
        lock = self._lock(one, process) if one.address else None
        return ThreadView(
            tid=one.tid,
            name=one.name,
            state=state,
            reason=reason,
            lasts_ns=max(now_ns - one.since_ns, 0),
            where=_place(seen, one, now_ns),
            awaits=_awaited(one, reason, lock, names),
            holds_gil=one.holds_gil,
            shares=shares(totals, before[key]) if key in before else (),
        )

    def _lock(self, one: LiveThread, process: LiveProcess) -> LiveLock | None:
        if one.state is State.GIL_WAIT:
            return None
        if process.path not in self._locks:
            self._locks[process.path] = LiveLocks(process.path)
        return self._locks[process.path].find(one.address)


def _names(found: Iterable[LiveProcess], titles: Mapping[int, str]) -> dict[int, str]:
    """Name threads by tid; those of other processes than the first by their process too."""
    names = {}
    for number, process in enumerate(found):
        of = f" of {titles[process.pid]}" if number else ""
        for one in process.threads:
            names[one.tid] = f"{one.name}{of} ({one.tid})"
    return names


def _totals(one: LiveThread, now_ns: int) -> _Totals:
    """Add what the open span has come to."""
    totals = dict(one.totals_ns)
    totals[one.state] = totals.get(one.state, 0) + max(now_ns - one.since_ns, 0)
    return totals


def shares(now: _Totals, before: _Totals) -> tuple[tuple[State, float], ...]:
    """Divide the time between two looks among the states, the largest share first."""
    spent = {state: max(ns - before.get(state, 0), 0) for state, ns in now.items()}
    whole = sum(spent.values())
    ranked = sorted(spent.items(), key=lambda item: -item[1])
    return tuple((state, ns / whole) for state, ns in ranked if ns)


def _place(seen: Sighting | None, one: LiveThread, now_ns: int) -> str:
    if seen is None:
        return ""
    if seen.since_ns != one.since_ns and now_ns - seen.time_ns > RECENT_NS:
        return ""
    frame = own_frame(seen.stack)
    return "" if frame is None else where(frame)


def _awaited(
    one: LiveThread, reason: Reason, lock: LiveLock | None, names: Mapping[int, str]
) -> str:
    """Say what a thread waits for, and who has it or has to end; "" where that is not known."""
    owner = (lock.owner if lock is not None else 0) or one.owner
    holder = names.get(owner, f"thread {owner}") if owner and owner != one.tid else ""
    held = f", held by {holder}" if holder else ""
    if one.state is State.GIL_WAIT:
        return f"the GIL{held}"
    if one.child:
        return f"process {one.child}"
    if reason is Reason.JOIN:
        return f"the end of {holder}" if holder else ""
    if one.state is State.LOCK_WAIT or one.reason is Reason.LOCK:
        return f"{_lock_name(lock)}{held}"
    if one.fd >= 0 and one.state in (State.IO_WAIT, State.GIL_BLOCKED):
        return f"descriptor {one.fd}"
    return ""


def _lock_name(lock: LiveLock | None) -> str:
    if lock is None:
        return "a lock"
    kind = made_by(lock.made) or lock.kind.value
    frame = own_frame(lock.made)
    if frame is not None:
        return f"{kind} made at {where(frame)}"
    return f"{kind} {lock.text}".rstrip()


@lru_cache(4096)
def refined(state: State, reason: Reason, stack: tuple[Frame, ...]) -> tuple[State, Reason]:
    """Say what a thread in a wait really waits for, by the Python primitive that it is in."""
    local = LocalStacks()
    for number, frame in enumerate(reversed(stack), start=1):
        local.functions[number] = frame.function
        local.frames[number] = (number - 1, number, frame.line)
    table = StackTable()
    rows = table.add(local)
    zero, word = np.zeros(1, np.int64), np.zeros(1, np.uint32)
    span = Spans(
        start_ns=zero,
        end_ns=zero,
        state=np.array([state.code], np.uint8),
        reason=np.array([reason.code], np.uint8),
        flags=np.zeros(1, np.uint8),
        core=np.full(1, NO_CORE, np.int16),
        waker=word,
        stack=rows[[len(stack)]],
        object=word,
    )
    Refiner(table.finish()).refine(span)
    return STATES[int(span.state[0])], REASONS[int(span.reason[0])]
