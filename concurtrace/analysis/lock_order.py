"""Orders of taking locks that contradict each other: a deadlock that may come, though none did.

Goodlock (Havelund 2000), with the exclusions of Bensalem and Havelund (2005): a cycle of locks,
each held while the next is taken, is none if one thread alone goes all the way, if a further lock
(the gate) is held in two of its steps, or if two of its threads never lived at the same time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from concurtrace.analysis.places import Places
from concurtrace.model.lock_report import LockStep
from concurtrace.model.trace import LockOrder, ObjectKind, Trace

LONGEST = 6
"""Locks in a cycle: each further one needs one more thread to stand at just the wrong place."""
_STEPS = 20_000
"""Steps of the search: thousands of locks taken in all orders would never let it end."""
_FOUND = 50

Lock = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """A lock is ``held`` while another is ``taken``: rows of ``Trace.objects``."""

    held: int
    taken: int
    order: LockOrder


@dataclass(frozen=True)
class Inversion:
    """Steps in a circle: the lock that one takes is held in the next, by another thread."""

    steps: tuple[Step, ...]
    tids: tuple[int, ...]


def inversions(trace: Trace) -> tuple[Inversion, ...]:
    """Find the cycles of locks, the shortest first; not all of them where there are many."""
    graph = _graph(trace)
    lives = _lives(trace)
    found: dict[frozenset[Lock], Inversion] = {}
    budget = [_STEPS]
    for length in range(2, LONGEST + 1):
        for start in sorted(graph):
            for steps in _circles(trace, graph, start, length, budget):
                locks = frozenset(_lock(trace, one.taken) for one in steps)
                tids = _threads(steps, lives)
                if tids is not None:
                    found.setdefault(locks, Inversion(steps, tids))
            if len(found) >= _FOUND:
                return tuple(found.values())
    return tuple(found.values())


def lock_steps(trace: Trace) -> tuple[LockStep, ...]:
    """List which locks were taken while which were held, those in circles first."""
    circles = {
        (_lock(trace, step.held), _lock(trace, step.taken))
        for one in inversions(trace)
        for step in one.steps
    }
    first: dict[Lock, int] = {}
    orders: dict[tuple[Lock, Lock], list[LockOrder]] = defaultdict(list)
    for lock, steps in _graph(trace).items():
        for step in steps:
            taken = _lock(trace, step.taken)
            first.setdefault(lock, step.held)
            first.setdefault(taken, step.taken)
            if taken != lock:
                orders[lock, taken].append(step.order)
    places = Places(trace.stacks)
    found = [
        LockStep(
            first[held],
            first[taken],
            next((place for one in mine if (place := places.of(one.stack))), ""),
            len({tid for one in mine for tid in one.tids}),
            any(one.many for one in mine),
            (held, taken) in circles,
        )
        for (held, taken), mine in orders.items()
    ]
    return tuple(sorted(found, key=lambda one: (not one.circle, one.held, one.taken)))


def _lock(trace: Trace, row: int) -> Lock:
    """Tell locks apart: one that processes share has a row for each of them."""
    one = trace.objects[row]
    return (-1, one.key) if one.kind is ObjectKind.MP_LOCK else (one.process, row)


def _graph(trace: Trace) -> dict[Lock, list[Step]]:
    """List for every lock the steps in which it is held; signals are left out."""
    graph: dict[Lock, list[Step]] = defaultdict(list)
    for order in trace.orders:
        if trace.objects[order.taken].handed:
            continue
        for held in order.held:
            if not trace.objects[held].handed:
                graph[_lock(trace, held)].append(Step(held, order.taken, order))
    return dict(graph)


def _circles(
    trace: Trace, graph: dict[Lock, list[Step]], start: Lock, length: int, budget: list[int]
) -> Iterator[tuple[Step, ...]]:
    """Walk all circles of a length whose smallest lock is ``start`` and that no gate guards."""

    def walk(
        at: Lock, steps: tuple[Step, ...], held: frozenset[Lock]
    ) -> Iterator[tuple[Step, ...]]:
        for step in graph.get(at, ()):
            budget[0] -= 1
            if budget[0] < 0:
                return
            mine = frozenset(_lock(trace, row) for row in step.order.held)
            to = _lock(trace, step.taken)
            if mine & held or to < start:
                continue
            if len(steps) + 1 == length:
                if to == start:
                    yield (*steps, step)
            elif to != start:
                yield from walk(to, (*steps, step), held | mine)

    yield from walk(start, (), frozenset())


def _lives(trace: Trace) -> dict[int, tuple[int, int]]:
    return {one.tid: (one.start_ns, one.end_ns) for one in trace.threads}


def _threads(
    steps: tuple[Step, ...], lives: dict[int, tuple[int, int]], taken: tuple[int, ...] = ()
) -> tuple[int, ...] | None:
    """Choose a thread for every step, all different and alive together; None if there are none."""
    if len(taken) == len(steps):
        return taken
    order = steps[len(taken)].order
    for tid in order.tids:
        if tid not in taken and all(_meet(lives, tid, other) for other in taken):
            chosen = _threads(steps, lives, (*taken, tid))
            if chosen is not None:
                return chosen
    # Of many threads only some are told: there will be one more.
    return _threads(steps, lives, (*taken, 0)) if order.many else None


def _meet(lives: dict[int, tuple[int, int]], one: int, other: int) -> bool:
    if one not in lives or other not in lives:
        return True
    return lives[one][0] < lives[other][1] and lives[other][0] < lives[one][1]
