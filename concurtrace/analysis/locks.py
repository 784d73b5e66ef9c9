"""The lock table: which locks threads waited for, who had them, and where all that was."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.places import UNSAMPLED, Places, is_foreign, made_by, own_frame
from concurtrace.model.report import LockPlace, LockReport
from concurtrace.model.spans import Spans, Stacks
from concurtrace.model.states import State
from concurtrace.model.trace import ObjectKind, Trace, WaitObject

_KEPT_LOCKS = 200
_KEPT_PLACES = 20
_WAITS_LOOKED_AT = 500
"""Waits of one lock whose holder is looked for: the longest, which hold nearly all of the time."""

_Group = tuple[ObjectKind, str | None, int]


@dataclass(frozen=True)
class _Origin:
    """What a lock is called: those made at one place share it."""

    name: str
    kind: str
    created_at: str | None


def lock_table(trace: Trace) -> tuple[LockReport, ...]:
    """List the locks that were waited for, those that cost most first."""
    places = Places(trace.stacks)
    groups: dict[_Group, list[int]] = defaultdict(list)
    origins: dict[_Group, _Origin] = {}
    nested = {row for one in trace.orders for row in (one.taken, *one.held)}
    for row, one in enumerate(trace.objects):
        if row and one.kind.is_lock and (row in nested or not one.only_counted):
            key, origin = _origin(one, trace.stacks)
            groups[key].append(row)
            origins[key] = origin
    waits = np.flatnonzero(
        trace.spans.in_state(State.LOCK_WAIT, State.CONDITION_WAIT) & (trace.spans.object != 0)
    )
    ranked = sorted(groups, key=lambda key: -sum(trace.objects[row].wait_ns for row in groups[key]))
    found = []
    for key in ranked[:_KEPT_LOCKS]:
        mine = waits[np.isin(trace.spans.object[waits], groups[key])]
        if len(mine) and not trace.spans.take(mine).in_state(State.LOCK_WAIT).any():
            continue  # a means to tell something: nobody was kept out by it
        found.append(_report(trace, origins[key], groups[key], mine, places))
    return tuple(found)


def _origin(one: WaitObject, stacks: Stacks) -> tuple[_Group, _Origin]:
    stack = stacks.frames(one.created_stack)
    # Few frames are kept of a creation: without one of the user's the outermost says most.
    frame = own_frame(stack[-1:]) if is_foreign(stack) else own_frame(stack)
    kind = made_by(stack) or one.kind.value
    if frame is not None:
        at = f"{frame.function.file}:{frame.line}"
        name = f"{kind} made in {frame.function.name}"
        return (one.kind, at, 0), _Origin(name, kind, at)
    name = one.text or f"{kind} at {one.key:#x}"
    shared = one.kind is ObjectKind.MP_LOCK
    key = (one.kind, None, one.key if shared else hash((one.process, one.key)))
    return key, _Origin(name, kind, None)


def _report(
    trace: Trace, origin: _Origin, rows: list[int], waits: NDArray[np.intp], places: Places
) -> LockReport:
    objects = [trace.objects[row] for row in rows]
    # A lock that processes share has a record in each, which tells of its own process.
    keys = {(one.key, None if one.kind is ObjectKind.MP_LOCK else one.process) for one in objects}
    return LockReport(
        name=origin.name,
        kind=origin.kind,
        created_at=origin.created_at,
        locks=len(keys),
        acquisitions=sum(one.acquisitions for one in objects),
        contended=sum(one.contended for one in objects),
        wait_ns=sum(one.wait_ns for one in objects),
        hold_ns=sum(one.hold_ns for one in objects),
        held_by=_ranked(_holders(trace, waits, places)),
        waited_at=_ranked(_waiters(trace.spans.take(waits), places)),
        longest=int(waits[np.argmax(trace.spans.dur_ns[waits])]) if len(waits) else None,
    )


def _waiters(waits: Spans, places: Places) -> dict[str, int]:
    """Add up waiting time by the place of the waiter."""
    sums: dict[str, int] = defaultdict(int)
    stacks, inverse = np.unique(waits.stack, return_inverse=True)
    times = np.bincount(inverse, waits.dur_ns, len(stacks))
    for stack, ns in zip(stacks.tolist(), times.tolist(), strict=True):
        place = places.of(stack)
        if place is not None:
            sums[place] += int(ns)
    return sums


def _holders(trace: Trace, waits: NDArray[np.intp], places: Places) -> dict[str, int]:
    """Add up, over waits, what the thread that ended each was doing meanwhile."""
    spans = trace.spans
    known = waits[spans.waker[waits] != 0]
    known = known[np.argsort(-spans.dur_ns[known], kind="stable")][:_WAITS_LOOKED_AT]
    rows = trace.rows_of(spans.waker[known], spans.end_ns[known])
    sums: dict[str, int] = defaultdict(int)
    for wait, row in zip(known.tolist(), rows.tolist(), strict=True):
        if row >= 0:
            _add_doing(trace, row, int(spans.start_ns[wait]), int(spans.end_ns[wait]), places, sums)
    return sums


def _add_doing(
    trace: Trace, row: int, start_ns: int, end_ns: int, places: Places, sums: dict[str, int]
) -> None:
    """Add what a thread did between two times, by place: from its waits and its samples."""
    spans = trace.spans_of(trace.threads[row])
    first = int(np.searchsorted(spans.end_ns, start_ns, side="right"))
    last = int(np.searchsorted(spans.start_ns, end_ns, side="left"))
    told = 0
    part = spans.take(slice(first, last))
    inside = np.minimum(part.end_ns, end_ns) - np.maximum(part.start_ns, start_ns)
    for stack, ns in zip(part.stack.tolist(), inside.tolist(), strict=True):
        place = places.of(stack)
        if place is not None:
            sums[place] += ns
            told += ns
    rest = end_ns - start_ns - told
    sampled = _sampled(trace, row, start_ns, end_ns, places)
    for place in sampled:
        sums[place] += rest // len(sampled)
    if not sampled and rest > 0:
        sums[UNSAMPLED] += rest


def _sampled(trace: Trace, row: int, start_ns: int, end_ns: int, places: Places) -> list[str]:
    """List the places where samples saw a running thread between two times."""
    samples = trace.samples
    if samples is None:
        return []
    first, last = np.searchsorted(samples.time_ns, [start_ns, end_ns])
    part = samples.take(slice(int(first), int(last)))
    mine = part.stack[part.tid == trace.threads[row].tid]
    return [place for stack in mine.tolist() if (place := places.of(stack)) is not None]


def _ranked(sums: dict[str, int]) -> tuple[LockPlace, ...]:
    ranked = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    return tuple(LockPlace(place, ns) for place, ns in ranked[:_KEPT_PLACES])
