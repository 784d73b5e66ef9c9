"""Steps of loops laid over the states of the threads that ran them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import Numbers, Times
from concurtrace.model.states import STATES, State
from concurtrace.model.tasks import StepFlag, Steps, TaskTrace
from concurtrace.model.trace import Trace

_OFF_CORE = (
    State.SLEEP,
    State.IO_WAIT,
    State.LOCK_WAIT,
    State.CONDITION_WAIT,
    State.CHILD_WAIT,
    State.GIL_BLOCKED,
)
_DEEPEST = 32
"""So deeply may steps be nested in each other; what is nested deeper is left out."""

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class BlockingCalls:
    """Waits in the kernel inside steps: rows of ``Trace.spans`` and of ``TaskTrace.steps``."""

    span: Places
    step: Places
    ns: Times

    def per_step(self, count: int) -> Times:
        """Add up the time of each step that was spent asleep."""
        return np.bincount(self.step, self.ns, count).astype(np.int64)


def loop_rows(tasks: TaskTrace, trace: Trace) -> NDArray[np.intp]:
    """Find the thread of every loop: a row of ``Trace.threads``, -1 where it is not known."""
    tids = np.array([one.tid for one in tasks.loops], np.uint32)
    times = np.array([one.end_ns for one in tasks.loops], np.int64)
    return trace.rows_of(tids, times)


def own_ns(steps: Steps) -> Times:
    """Measure each step without the steps that were nested in it."""
    own = steps.dur_ns.copy()
    nested = (steps.flags & StepFlag.NESTED) != 0
    for loop in np.unique(steps.loop[nested]).tolist():
        for outer, inner in pairwise(_levels(steps, np.flatnonzero(steps.loop == loop))):
            around = _around(steps, outer, steps.start_ns[inner], steps.end_ns[inner])
            own -= np.bincount(
                around[around >= 0], steps.dur_ns[inner[around >= 0]], len(own)
            ).astype(np.int64)
    found: Times = np.maximum(own, 0)
    return found


def _levels(steps: Steps, mine: Places) -> list[Places]:
    """Divide steps, in order of their start, by how deeply they are nested in each other."""
    levels: list[Places] = []
    while len(mine) and len(levels) < _DEEPEST:
        starts, ends = steps.start_ns[mine], np.maximum.accumulate(steps.end_ns[mine])
        outermost = np.ones(len(mine), bool)
        outermost[1:] = starts[1:] >= ends[:-1]
        levels.append(mine[outermost])
        mine = mine[~outermost]
    return levels


def _around(steps: Steps, level: Places, start_ns: Times, end_ns: Times) -> Places:
    """Find for each stretch of time the step of one level that it lies in; -1 = none."""
    place = np.searchsorted(steps.start_ns[level], start_ns, side="right") - 1
    found = level[np.maximum(place, 0)]
    return np.where((place >= 0) & (steps.end_ns[found] >= end_ns), found, -1)


def blocking_calls(tasks: TaskTrace, trace: Trace) -> BlockingCalls:
    """Find every wait in the kernel that was made in a step, and the innermost step it was in."""
    return inside_steps(tasks, trace, _OFF_CORE)


def kept_ns(tasks: TaskTrace, trace: Trace) -> Times:
    """Measure how long each step was kept from running: it had no core, or not the GIL."""
    found = inside_steps(tasks, trace, (State.RUNNABLE, State.GIL_WAIT))
    return found.per_step(len(tasks.steps))


def inside_steps(tasks: TaskTrace, trace: Trace, states: tuple[State, ...]) -> BlockingCalls:
    """Find the spans in some states that lie in steps, each in the innermost."""
    spans, steps = trace.spans, tasks.steps
    threads = loop_rows(tasks, trace)
    off = spans.in_state(*states)
    found_spans, found_steps = [], []
    for thread in np.unique(threads[threads >= 0]).tolist():
        mine = np.flatnonzero(np.isin(steps.loop, np.flatnonzero(threads == thread)))
        row = trace.threads[thread]
        waits = np.flatnonzero(off[row.first : row.last]) + row.first
        if not len(mine) or not len(waits):
            continue
        mine = mine[np.argsort(steps.start_ns[mine], kind="stable")]
        inside = _innermost(steps, mine, spans.start_ns[waits], spans.end_ns[waits])
        good = inside >= 0
        found_spans.append(waits[good])
        found_steps.append(inside[good])
    if not found_spans:
        none = np.empty(0, np.intp)
        return BlockingCalls(none, none, np.empty(0, np.int64))
    span, step = np.concatenate(found_spans), np.concatenate(found_steps)
    until = np.minimum(spans.end_ns[span], steps.end_ns[step])
    ns = until - np.maximum(spans.start_ns[span], steps.start_ns[step])
    return BlockingCalls(span, step, np.maximum(ns, 0))


def _innermost(steps: Steps, mine: Places, start_ns: Times, end_ns: Times) -> Places:
    """Find for each wait the innermost step that had begun and lasted at least half of it."""
    middle = start_ns + (end_ns - start_ns) // 2
    found = np.full(len(start_ns), -1, np.intp)
    for level in _levels(steps, mine):
        around = _around(steps, level, start_ns, middle + 1)
        found = np.where(around >= 0, around, found)
    return found


def main_state(trace: Trace, calls: BlockingCalls, step: int) -> tuple[State, int]:
    """Return what a step slept in longest: the state, and the span of the longest such wait."""
    mine = np.flatnonzero(calls.step == step)
    states = trace.spans.state[calls.span[mine]]
    sums = np.bincount(states, calls.ns[mine], len(STATES))
    code = int(np.argmax(sums))
    of_it = mine[states == code]
    return STATES[code], int(calls.span[of_it[np.argmax(calls.ns[of_it])]])


def lateness(steps: Steps, chosen: Places) -> tuple[Numbers, Times]:
    """Count for some steps who was ready meanwhile, and how long those waited for them together.

    Who is late because of a step ran after it on the same loop and was ready before its end.
    """
    counts, sums = np.zeros(len(chosen), np.uint32), np.zeros(len(chosen), np.int64)
    ready_since = steps.start_ns - steps.ready_ns
    for number, step in enumerate(chosen.tolist()):
        start, end = steps.start_ns[step], steps.end_ns[step]
        after = slice(int(np.searchsorted(steps.start_ns, end, side="left")), None)
        late = steps.loop[after] == steps.loop[step]
        late &= ready_since[after] < end
        since = np.maximum(ready_since[after][late], start)
        counts[number] = len(since)
        sums[number] = int((end - since).sum())
    return counts, sums
