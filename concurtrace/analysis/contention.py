"""Who keeps others from the GIL and from locks, and what the holder does meanwhile."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import Steps
from concurtrace.analysis.places import is_foreign, made_by, own_frame
from concurtrace.model.spans import Times
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import ObjectKind, Thread, Trace, WaitObject

_WAITS_LOOKED_AT = 500
"""Waits whose holder is looked at: the longest, which hold nearly all of the time."""

Rows = NDArray[np.intp]
BLOCKED = (
    State.IO_WAIT,
    State.SLEEP,
    State.CHILD_WAIT,
    State.CONDITION_WAIT,
    State.GIL_BLOCKED,
)
"""What a thread does that is asleep of its own will, not for want of a core, the GIL or a lock."""


@dataclass(frozen=True)
class GilOfProcess:
    """The GIL of one process over its life: ``held`` is the share of it, ``threads`` who ran."""

    process: int
    life_ns: int
    held_ns: int
    wait_ns: int
    running_ns: int
    threads: tuple[Thread, ...]

    @property
    def held(self) -> float:
        """The share of its life in which some thread held it."""
        return min(1.0, self.held_ns / self.life_ns) if self.life_ns else 0.0

    @property
    def contention(self) -> float:
        """GIL_WAIT / (GIL_WAIT + RUNNING)."""
        wanted = self.wait_ns + self.running_ns
        return self.wait_ns / wanted if wanted else 0.0


def gils(trace: Trace) -> tuple[GilOfProcess, ...]:
    """Sum up the GIL of every process, that with the longest waits first."""
    found = []
    for row, process in enumerate(trace.processes):
        threads = tuple(one for one in trace.threads_of(process) if one.runs_python)
        running = sum(one.ns(State.RUNNING) for one in threads)
        found.append(
            GilOfProcess(
                row,
                process.end_ns - process.start_ns,
                max(running, sum(one.gil.held_ns for one in threads)),
                sum(one.ns(State.GIL_WAIT) for one in threads),
                running,
                tuple(one for one in threads if one.ns(State.RUNNING, State.GIL_WAIT)),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.wait_ns, -one.held_ns)))


@dataclass(frozen=True, eq=False)
class ContendedLock:
    """A lock that threads waited for, or all locks made at one place.

    ``waits`` are the spans; ``objects`` the rows in ``Trace.objects``. ``holder_ns`` sums up what
    the threads that let go of it did while others waited, by state.
    """

    name: str
    created_at: str | None
    objects: tuple[int, ...]
    acquisitions: int
    contended: int
    hold_ns: int
    waits: Rows
    wait_ns: int
    waiters: int
    holder_ns: dict[State, int]
    holder_spans: Rows

    def holder_share(self, *states: State) -> float:
        """Return the share of the holders' time in some states."""
        whole = sum(self.holder_ns.values())
        return sum(self.holder_ns.get(one, 0) for one in states) / whole if whole else 0.0


def contended_locks(trace: Trace) -> tuple[ContendedLock, ...]:
    """List the locks that threads waited for, that with the longest waits first."""
    spans = trace.spans
    waits = np.flatnonzero(spans.in_state(State.LOCK_WAIT) & (spans.object != 0))
    objects, inverse = np.unique(spans.object[waits], return_inverse=True)
    groups: dict[tuple[str, str | None, int], list[int]] = defaultdict(list)
    for place, row in enumerate(objects.tolist()):
        if trace.objects[row].kind.is_lock:
            groups[_identity(trace, trace.objects[row])].append(place)
    found = []
    for (name, at, _), members in groups.items():
        mine = waits[np.isin(inverse, members)]
        found.append(_lock(trace, name, at, tuple(objects[members].tolist()), mine))
    return tuple(sorted(found, key=lambda one: (-one.wait_ns, one.name)))


def lock_name(trace: Trace, one: WaitObject) -> str:
    """Name a lock by what it is and where it was made."""
    return _identity(trace, one)[0]


def _identity(trace: Trace, one: WaitObject) -> tuple[str, str | None, int]:
    stack = trace.stacks.frames(one.created_stack)
    frame = own_frame(stack[-1:]) if is_foreign(stack) else own_frame(stack)
    kind = made_by(stack) or one.kind.value
    if frame is not None:
        at = f"{frame.function.file}:{frame.line}"
        return f"the {kind} made in {frame.function.name} ({at})", at, 0
    shared = one.kind is ObjectKind.MP_LOCK
    key = one.key if shared else hash((one.process, one.key))
    return (f"the {kind} {one.text}" if one.text else f"a {kind}"), None, key


def _lock(
    trace: Trace, name: str, at: str | None, rows: tuple[int, ...], waits: Rows
) -> ContendedLock:
    objects = [trace.objects[row] for row in rows]
    doing, held = holder_states(trace, waits)
    return ContendedLock(
        name=name,
        created_at=at,
        objects=rows,
        acquisitions=sum(one.acquisitions for one in objects),
        contended=max(len(waits), sum(one.contended for one in objects)),
        hold_ns=sum(one.hold_ns for one in objects),
        waits=waits,
        wait_ns=int(trace.spans.dur_ns[waits].sum()),
        waiters=len(np.unique(trace.span_threads[waits])),
        holder_ns=doing,
        holder_spans=held,
    )


def holder_states(trace: Trace, waits: Rows) -> tuple[dict[State, int], Rows]:
    """Sum up, over the longest waits, what the thread did meanwhile that ended each.

    Returns times by state, and the spans in which holders were asleep.
    """
    spans = trace.spans
    known = waits[spans.waker[waits] != 0]
    if len(known) > _WAITS_LOOKED_AT:
        lasted = spans.end_ns[known] - spans.start_ns[known]
        known = known[np.argpartition(-lasted, _WAITS_LOOKED_AT)[:_WAITS_LOOKED_AT]]
    rows = trace.rows_of(spans.waker[known], spans.end_ns[known])
    sums = np.zeros(len(STATES), np.int64)
    asleep: list[int] = []
    blocked = [state.code for state in BLOCKED]
    for wait, row in zip(known.tolist(), rows.tolist(), strict=True):
        if row < 0:
            continue
        thread = trace.threads[row]
        start, end = int(spans.start_ns[wait]), int(spans.end_ns[wait])
        low = thread.first + int(
            np.searchsorted(spans.end_ns[thread.first : thread.last], start, side="right")
        )
        high = thread.first + int(
            np.searchsorted(spans.start_ns[thread.first : thread.last], end, side="left")
        )
        inside = np.minimum(spans.end_ns[low:high], end) - np.maximum(
            spans.start_ns[low:high], start
        )
        np.add.at(sums, spans.state[low:high], inside)
        asleep += (low + np.flatnonzero(np.isin(spans.state[low:high], blocked))).tolist()
    doing = {state: int(sums[state.code]) for state in STATES if sums[state.code]}
    return doing, np.unique(np.array(asleep, np.intp))


def queue_share(trace: Trace, waits: Rows, at_least: int) -> float:
    """Return the share of the time with waiters in which there were so many or more."""
    times: Times = Steps.during(trace, waits).time_at()
    busy = int(times[1:].sum())
    return float(times[at_least:].sum()) / busy if busy else 0.0


def waited_share(trace: Trace, waits: Rows) -> float:
    """Return the share of the time from the first wait to the last in which somebody waited."""
    if not len(waits):
        return 0.0
    whole = int(trace.spans.end_ns[waits].max() - trace.spans.start_ns[waits].min())
    times: Times = Steps.during(trace, waits).time_at()
    return int(times[1:].sum()) / whole if whole else 0.0


def overlap_ns(trace: Trace, spans: NDArray[np.bool_], others: NDArray[np.bool_]) -> int:
    """Measure how much of some spans' time at least one of the others' lay beside."""
    start, end = trace.spans.start_ns[spans], trace.spans.end_ns[spans]
    free = Steps.during(trace, others).inside(0, start, end)
    return int((end - start - free).sum())
