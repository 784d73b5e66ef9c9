"""Turn a trace into what its threads want: a program that can be replayed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import READY, WORKING, Steps
from concurtrace.analysis.critical_path import creator_of, first_thread
from concurtrace.analysis.replay import START, Does, Program, Rules, Step, Worker
from concurtrace.model.spans import SpanFlag
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import CoreSource, Thread, Trace

MOST_SPANS, MOST_STEPS = 300_000, 40_000
"""What is replayed: each of some twenty replays of more takes over a quarter of a second."""
MOST_OTHERS = 64.0
"""Threads of other programs: more leave a target next to nothing, and no replay is worth much."""
_BRIEF_NS = 20_000
"""A call without the GIL that is shorter ends before a waiter has woken up: as if it kept it."""
_WAKES = (State.LOCK_WAIT, State.CONDITION_WAIT, State.CHILD_WAIT, State.IO_WAIT)
_KEPT_FROM = (State.RUNNABLE, State.GIL_WAIT, State.STARTING)
"""What a thread is kept by: the replay decides anew how long."""
_DOES = {
    **dict.fromkeys(STATES, Does.DELAY),
    State.RUNNING: Does.PYTHON,
    State.RUNNING_NOGIL: Does.NATIVE,
    State.GIL_BLOCKED: Does.KEEPS_GIL,
}


@dataclass(frozen=True)
class _Point:
    """A moment of a thread at which it lets another go on, or begins to wait for one."""

    at_ns: int
    edge: int


def program(trace: Trace, cores: float) -> Program | None:
    """Make the program of a trace; None where there is nothing to replay, or too much."""
    if not 0 < len(trace.spans) <= MOST_SPANS:
        return None
    rows = [row for row, one in enumerate(trace.threads) if one.lifetime_ns > 0]
    last = first_thread(trace)
    if last is None:
        return None
    edges, kept = _Edges(trace), _kept_by_others(trace, cores)
    workers = tuple(
        Worker(row, trace.threads[row].process, _Steps(trace, row, edges, kept).made())
        for row in rows
    )
    made = Program(workers, rows.index(last))
    return made if made.steps <= MOST_STEPS else None


def rules_of(trace: Trace, cores: float, switch_interval_ns: int, taken: float | None) -> Rules:
    """Say under which rules a trace was made; ``taken`` is how many cores other programs had."""
    return Rules(cores, _others(trace, cores, taken), trace.gil, switch_interval_ns)


def _others(trace: Trace, cores: float, taken: float | None) -> float:
    """Fit how many threads of other programs wanted a core too.

    With n threads of the target and k of others, fair cores give the target P * n / (n + k). From
    what the target had, k is well known where cores were short, and hardly where they were not:
    then a moment's wait for a core looks as if there were many. From what the others had it is the
    other way round. The lower of both is right in either case.
    """
    wants = trace.spans.in_state(*READY) & ~_without_gil(trace)
    wanting = Steps.during(trace, wants).time_at()
    many = np.arange(len(wanting))
    had = sum(one.ns(*WORKING) for one in trace.threads)

    def share(others: float) -> NDArray[np.float64]:
        per: NDArray[np.float64] = np.minimum(1.0, cores / np.maximum(many + others, 1e-9))
        return wanting * per

    found = []
    if trace.core_source is not CoreSource.NONE:
        found.append(_least(lambda others: float((share(others) * many).sum()) <= had))
    if taken is not None:
        theirs = taken * trace.wall_ns
        found.append(_least(lambda others: float(share(others).sum()) * others >= theirs))
    return min(found, default=0.0)


def _least(enough: Callable[[float], bool]) -> float:
    """Search the least number of threads that is enough."""
    low, high = 0.0, MOST_OTHERS
    if enough(low):
        return low
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return low


def _without_gil(trace: Trace) -> NDArray[np.bool_]:
    """Select waits for a core that keep nobody else: without the GIL where there is one."""
    spans = trace.spans
    ready = spans.in_state(State.RUNNABLE, State.STARTING)
    return ready & ((spans.flags & SpanFlag.GIL_HELD) == 0) if trace.gil else ready & False


def _kept_by_others(trace: Trace, cores: float) -> dict[int, int]:
    """Measure how long waits for a core without the GIL lasted while the target left one free.

    Others had it. Where the thread went on to wait for the GIL, it lost nothing by it as long as
    another thread had that.
    """
    spans, rows = trace.spans, trace.span_threads
    alone = _without_gil(trace)
    asks = np.zeros(len(spans), bool)
    asks[:-1] = spans.in_state(State.GIL_WAIT, State.RUNNABLE)[1:] & (rows[1:] == rows[:-1])
    found: dict[int, int] = {}
    working = Steps.during(trace, spans.in_state(*WORKING))
    _measure(found, trace, working, np.flatnonzero(alone & ~asks), max(1, int(cores)))
    held = np.flatnonzero((spans.flags & SpanFlag.GIL_HELD) != 0)
    waits = np.flatnonzero(alone & asks)
    borders = np.array([one.first for one in trace.processes if one.first < one.last])
    for first, end in pairwise([*borders.tolist(), len(trace.threads)]):
        mine = waits[slice(*np.searchsorted(rows[waits], (first, end)))]
        holders = held[slice(*np.searchsorted(rows[held], (first, end)))]
        _measure(found, trace, Steps.during(trace, holders), mine, 1)
    return found


def _measure(
    found: dict[int, int], trace: Trace, others: Steps, waits: NDArray[np.intp], below: int
) -> None:
    """Measure how much of some waits passed while there were fewer of the others."""
    if not len(waits):
        return
    start, end = trace.spans.start_ns[waits], trace.spans.end_ns[waits]
    free = sum(others.inside(many, start, end) for many in range(below))
    found.update(zip(waits.tolist(), np.asarray(free, np.int64).tolist(), strict=True))


class _Edges:
    """Who lets whom go on: the waits that another thread ended, and the starts of threads."""

    def __init__(self, trace: Trace) -> None:
        spans = trace.spans
        self._objects = spans.object
        waits = np.flatnonzero(
            spans.in_state(*_WAKES) & (spans.waker != 0) & ((spans.flags & SpanFlag.TIMED_OUT) == 0)
        )
        towards = trace.rows_of(spans.waker[waits], spans.end_ns[waits])
        good = (towards >= 0) & (towards != trace.span_threads[waits])
        self.of_span: dict[int, int] = {}
        self.signals: dict[int, list[_Point]] = defaultdict(list)
        for span, row in zip(waits[good].tolist(), towards[good].tolist(), strict=True):
            self.of_span[span] = span
            self.signals[row].append(_Point(int(spans.end_ns[span]), span))
        self.starts: dict[int, int] = {}
        for row, thread in enumerate(trace.threads):
            creator = creator_of(trace, row)
            if creator is not None and thread.lifetime_ns > 0 and thread.start_ns > trace.start_ns:
                self.starts[row] = edge = len(spans) + row
                self.signals[creator].append(_Point(_begun_ns(trace, thread), edge))
        for points in self.signals.values():
            points.sort(key=lambda one: one.at_ns)

    def object_of(self, edge: int) -> int:
        """Return what an edge is about: a row of ``Trace.objects``, or START."""
        return START if edge >= len(self._objects) else int(self._objects[edge])


def _begun_ns(trace: Trace, thread: Thread) -> int:
    """Return when a thread was called into being; the first of a process comes up with it."""
    process = trace.processes[thread.process]
    if not thread.is_main or process.start_ns <= trace.start_ns:
        return thread.start_ns
    return min(thread.start_ns, process.start_ns)


class _Steps:
    """The steps of one thread under construction."""

    def __init__(self, trace: Trace, row: int, edges: _Edges, kept: Mapping[int, int]) -> None:
        self._trace, self._row, self._edges, self._kept = trace, row, edges, kept
        self._thread: Thread = trace.threads[row]
        self._signals = edges.signals.get(row, [])
        self._signalled = 0
        self._made: list[Step] = []
        self._on_core = _on_core_share(trace, self._thread)
        folds = trace.folds.take(trace.folds.thread == row)
        self._folds = folds.take(np.argsort(folds.start_ns, kind="stable"))

    def made(self) -> tuple[Step, ...]:
        thread, spans = self._thread, self._trace.spans_of(self._thread)
        if self._row in self._edges.starts:
            self._add(Step(Does.WAIT, edge=self._edges.starts[self._row], object=START))
            self._sleep(thread.start_ns - _begun_ns(self._trace, thread))
        elif thread.start_ns > self._trace.start_ns:
            self._add(Step(Does.DELAY, thread.start_ns - self._trace.start_ns))
        now = thread.start_ns
        rows = zip(
            range(thread.first, thread.last),
            spans.start_ns.tolist(),
            spans.end_ns.tolist(),
            spans.state.tolist(),
            spans.object.tolist(),
            strict=True,
        )
        for span, start, end, code, thing in rows:
            self._gap(now, start)
            self._span(span, start, end, STATES[code], thing)
            now = end
        self._gap(now, thread.end_ns)
        self._signal_until(thread.end_ns + 1)
        process = self._trace.processes[thread.process]
        if thread.is_main and self._signalled < len(self._signals):
            # Who waits for a process waits for its very end.
            self._sleep(min(process.end_ns, self._signals[-1].at_ns) - thread.end_ns)
        self._signal_until(None)
        return tuple(self._made)

    def _sleep(self, ns: int) -> None:
        if ns > 0:
            self._add(Step(Does.DELAY, ns))

    def _span(self, span: int, start: int, end: int, state: State, thing: int) -> None:
        self._signal_until(start)
        if state in _KEPT_FROM:
            self._signal_until(end)
            if self._kept.get(span, 0) > 0:
                self._add(Step(Does.DELAY, self._kept[span]))
            return
        edge = self._edges.of_span.get(span)
        if edge is not None:
            # Who it wakes up it has woken before it fell asleep itself.
            self._signal_until(end)
            self._add(Step(Does.WAIT, end - self._trace.start_ns, edge, thing))
            return
        does = _DOES[state]
        if state is State.RUNNING_NOGIL and end - start < _BRIEF_NS:
            does = Does.PYTHON
        if does in (Does.DELAY, Does.KEEPS_GIL):
            self._signal_until(end)
            self._add(Step(does, end - start, object=thing))
            return
        while self._signalled < len(self._signals) and self._signals[self._signalled].at_ns < end:
            at = max(start, self._signals[self._signalled].at_ns)
            self._work(does, at - start)
            start = at
            self._signal_until(at + 1)
        self._work(does, end - start)

    def _gap(self, start: int, end: int) -> None:
        """Lay out what was folded: the sums of a window, divided as its spans were."""
        if end - start <= 0:
            return
        for state, share in self._folded(start, end):
            ns = round((end - start) * share)
            if state in WORKING:
                self._work(_DOES[state], ns)
            elif state not in (*_KEPT_FROM, State.LOCK_WAIT):
                self._add(Step(_DOES[state], ns))

    def _folded(self, start: int, end: int) -> list[tuple[State, float]]:
        folds = self._folds
        low = int(np.searchsorted(folds.end_ns, start, side="right"))
        high = int(np.searchsorted(folds.start_ns, end, side="left"))
        sums = np.bincount(folds.state[low:high], folds.ns[low:high], len(STATES))
        whole = float(sums.sum())
        if not whole:
            return []
        return [(STATES[code], float(sums[code]) / whole) for code in np.flatnonzero(sums).tolist()]

    def _work(self, does: Does, ns: int) -> None:
        ns = round(ns * self._on_core)
        if ns <= 0:
            return
        last = self._made[-1] if self._made else None
        if last is not None and last.does is does:
            self._made[-1] = last._replace(ns=last.ns + ns)
        else:
            self._add(Step(does, ns))

    def _signal_until(self, at_ns: int | None) -> None:
        signals = self._signals
        while self._signalled < len(signals) and (
            at_ns is None or signals[self._signalled].at_ns < at_ns
        ):
            edge = signals[self._signalled].edge
            self._add(Step(Does.SIGNAL, edge=edge, object=self._edges.object_of(edge)))
            self._signalled += 1

    def _add(self, step: Step) -> None:
        self._made.append(step)


def _on_core_share(trace: Trace, thread: Thread) -> float:
    """Return the share of a thread's work that it was on a core, where no switch tells."""
    worked = thread.ns(*WORKING)
    if trace.core_source is not CoreSource.NONE or thread.cpu_ns is None or not worked:
        return 1.0
    return min(1.0, thread.cpu_ns / worked)
