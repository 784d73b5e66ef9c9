"""Replay what threads did, over again and under other rules, and see how long it takes.

A program is what each thread wants, without what it was kept from: computing with and without the
GIL, waits for things outside, and waits for each other, which last until the other has come to the
same point again. Cores and GILs are handed out anew. The idea is that of holistic trace analysis:
change the graph and run it again (HTA, lightweight critical path analysis).
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

HANDOVER_NS = 50_000
"""What it takes to wake a thread that waits for the GIL. Who lets go of it and wants it back
within that time gets it back: the convoy effect needs longer waits."""
FOREVER = math.inf
START = -1
"""The ``object`` of a step that starts a thread, or waits to be started."""


class Does(Enum):
    """What a step needs to go on."""

    PYTHON = "a core and the GIL"
    NATIVE = "a core"
    DELAY = "time"
    KEEPS_GIL = "time, with the GIL in hand"
    WAIT = "a signal of another thread"
    SIGNAL = "nothing: it lets others go on"


class Step(NamedTuple):
    """One step: ``ns`` of it, the ``edge`` that it waits for or signals, and what for.

    Of a wait, ``ns`` is when it ended in the recording, counted from the start; 0 if it is not in
    there.
    """

    does: Does
    ns: int = 0
    edge: int = -1
    object: int = 0


@dataclass(frozen=True)
class Worker:
    """One thread: its steps, and the process whose GIL it needs.

    ``row`` is that of its thread in the trace, -1 where it is made up.
    """

    row: int
    process: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Rules:
    """What the machine and the interpreter give.

    ``others`` is how many threads of other programs want a core all the time; infinite
    ``switch_interval_ns`` means that nobody is made to let go of the GIL.
    """

    cores: float
    others: float = 0.0
    gil: bool = True
    switch_interval_ns: float = 5_000_000
    handover_ns: int = HANDOVER_NS

    def rate(self, wanting: int) -> float:
        """Return the share of a core that each of so many threads gets."""
        return min(1.0, self.cores / (wanting + self.others)) if wanting else 1.0


@dataclass(frozen=True)
class Program:
    """What all threads want; ``last`` is the row in ``workers`` whose end is the end of the run."""

    workers: tuple[Worker, ...]
    last: int

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return sum(len(one.steps) for one in self.workers)


@dataclass
class _Gil:
    """A GIL: who holds it, who waits and since when, and when it last changed hands."""

    holder: int = -1
    queue: deque[tuple[int, float]] = field(default_factory=deque)
    switched_ns: float = 0.0
    timer: bool = False
    asked: bool = False
    promised: bool = False


class _Event(Enum):
    DELAYED = 0
    ASK = 1
    GRANT = 2


def replay(program: Program, rules: Rules) -> float | None:
    """Return how long the program takes, in ns; None where it comes to no end."""
    return _Replay(program, rules).run()


class _Replay:
    """One replay under way: cores are shared evenly, GILs first come, first served."""

    def __init__(self, program: Program, rules: Rules) -> None:
        self._program, self._rules = program, rules
        self._now = 0.0
        self._virtual = 0.0
        """The core time that every thread on a core has had so far."""
        self._on_core: list[tuple[float, int, int]] = []
        self._events: list[tuple[float, int, _Event, int]] = []
        self._count = itertools.count()
        self._at = [0] * len(program.workers)
        self._left = [-1.0] * len(program.workers)
        """What is left of a step that had to stop, -1 where it was not begun."""
        self._running: dict[int, tuple[float, int]] = {}
        """Who is on a core: when it will be done, and the mark of its entry in the heap."""
        self._fired: set[int] = set()
        self._waiting: dict[int, list[int]] = {}
        self._gils: dict[int, _Gil] = {}

    def run(self) -> float | None:
        for worker in range(len(self._program.workers)):
            self._go(worker)
        last, last_steps = self._program.last, len(self._program.workers[self._program.last].steps)
        while self._at[last] < last_steps:
            if not self._next() and not self._break_circle():
                return None
        return self._now

    def _break_circle(self) -> bool:
        """Let go on whom the recording let go on first; False where no signal is ever to come.

        Two that wait for each other are a matter of moments that were recorded as one.
        """
        workers = self._program.workers
        coming = {
            step.edge
            for one, at in zip(workers, self._at, strict=True)
            for step in one.steps[at:]
            if step.does is Does.SIGNAL
        }
        stuck = [
            (workers[waiting].steps[self._at[waiting]].ns or FOREVER, edge)
            for edge, many in self._waiting.items()
            if edge in coming
            for waiting in many
        ]
        if not stuck:
            return False
        self._fire(min(stuck)[1])
        return True

    def _next(self) -> bool:
        """Pass to the next thing that happens; False where nothing will."""
        rate = self._rules.rate(len(self._running))
        while self._on_core and self._stale(self._on_core[0]):
            heapq.heappop(self._on_core)
        done = FOREVER
        if self._on_core:
            done = self._now + max(0.0, self._on_core[0][0] - self._virtual) / rate
        if self._events and self._events[0][0] <= done:
            at, _, what, who = heapq.heappop(self._events)
            self._pass(at, rate)
            self._happen(what, who)
            return True
        if done == FOREVER:
            return False
        _, _, worker = heapq.heappop(self._on_core)
        self._pass(done, rate)
        del self._running[worker]
        self._finish(worker)
        return True

    def _stale(self, entry: tuple[float, int, int]) -> bool:
        _, mark, worker = entry
        return self._running.get(worker, (0.0, -1))[1] != mark

    def _pass(self, now: float, rate: float) -> None:
        self._virtual += (now - self._now) * rate
        self._now = now

    def _happen(self, what: _Event, who: int) -> None:
        match what:
            case _Event.DELAYED:
                self._finish(who)
            case _Event.ASK:
                self._ask(who)
            case _Event.GRANT:
                self._grant(who)

    def _finish(self, worker: int) -> None:
        self._left[worker] = -1.0
        self._at[worker] += 1
        self._go(worker)

    def _go(self, worker: int) -> None:
        """Begin the step that a worker has come to, and all that take no time."""
        one = self._program.workers[worker]
        while self._at[worker] < len(one.steps):
            step = one.steps[self._at[worker]]
            if step.does is Does.SIGNAL:
                self._at[worker] += 1
                self._fire(step.edge)
                continue
            if not self._may_hold(worker, step):
                return
            if step.does is Does.WAIT and step.edge not in self._fired:
                self._waiting.setdefault(step.edge, []).append(worker)
                return
            if step.does is not Does.WAIT:
                self._begin(worker, step)
                return
            self._at[worker] += 1
        self._let_go(worker)

    def _may_hold(self, worker: int, step: Step) -> bool:
        """Take the GIL for a step, or let go of it; False where the worker has to queue."""
        needs = step.does in (Does.PYTHON, Does.KEEPS_GIL)
        if not self._rules.gil:
            return True
        if not needs:
            self._let_go(worker)
            return True
        gil = self._gil(worker)
        if gil.holder == worker:
            if not gil.asked:
                return True
            self._hand_over(worker, gil)
            return False
        if gil.holder == -1 and not gil.promised:
            gil.holder, gil.switched_ns = worker, self._now
            self._watch(gil)
            return True
        gil.queue.append((worker, self._now))
        self._watch(gil)
        return False

    def _gil(self, worker: int) -> _Gil:
        return self._gils.setdefault(self._program.workers[worker].process, _Gil())

    def _watch(self, gil: _Gil) -> None:
        """Let the first who waits ask for the GIL after an interval without a change."""
        if gil.timer or not gil.queue or self._rules.switch_interval_ns == FOREVER:
            return
        gil.timer = True
        worker, since = gil.queue[0]
        waited = self._now - max(since, gil.switched_ns)
        self._later(max(0.0, self._rules.switch_interval_ns - waited), _Event.ASK, worker)

    def _ask(self, worker: int) -> None:
        """Ask the holder to let go, unless the GIL changed hands meanwhile."""
        gil = self._gil(worker)
        gil.timer = False
        if not gil.queue or gil.holder == -1:
            return
        waited = self._now - max(gil.queue[0][1], gil.switched_ns)
        # Less than a rounding error is not worth another interval.
        if waited + 1 < self._rules.switch_interval_ns:
            self._watch(gil)
        elif gil.holder in self._running:
            done, _ = self._running.pop(gil.holder)
            self._left[gil.holder] = max(0.0, done - self._virtual)
            self._hand_over(gil.holder, gil)
        else:
            gil.asked = True

    def _hand_over(self, worker: int, gil: _Gil) -> None:
        """Give the GIL to the next, who will have it for sure, and queue for it again."""
        gil.holder, gil.asked, gil.promised = -1, False, True
        gil.queue.append((worker, self._now))
        gil.switched_ns = self._now
        self._later(self._rules.handover_ns, _Event.GRANT, worker)

    def _let_go(self, worker: int) -> None:
        gil = self._gil(worker)
        if gil.holder != worker:
            return
        gil.holder, gil.asked, gil.switched_ns = -1, False, self._now
        if gil.queue:
            self._later(self._rules.handover_ns, _Event.GRANT, worker)

    def _grant(self, worker: int) -> None:
        gil = self._gil(worker)
        gil.promised = False
        if gil.holder != -1 or not gil.queue:
            return
        chosen, _ = gil.queue.popleft()
        gil.holder, gil.switched_ns = chosen, self._now
        self._watch(gil)
        self._go(chosen)

    def _begin(self, worker: int, step: Step) -> None:
        left = self._left[worker] if self._left[worker] >= 0 else float(step.ns)
        if step.does in (Does.DELAY, Does.KEEPS_GIL):
            self._later(left, _Event.DELAYED, worker)
            return
        mark = next(self._count)
        self._running[worker] = (self._virtual + left, mark)
        heapq.heappush(self._on_core, (self._virtual + left, mark, worker))

    def _fire(self, edge: int) -> None:
        self._fired.add(edge)
        for worker in self._waiting.pop(edge, ()):
            # Later, if at the same time: who signals goes on first.
            self._later(0.0, _Event.DELAYED, worker)

    def _later(self, ns: float, what: _Event, who: int) -> None:
        heapq.heappush(self._events, (self._now + ns, next(self._count), what, who))
