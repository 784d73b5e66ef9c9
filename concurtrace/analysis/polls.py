"""What the recorder of tasks cannot see of some loops, from the states of their threads.

Those of gevent, Twisted and uvloop wait in native code. When those of gevent and Twisted came back
from there is when what they then ran could have gone on: so late was each step after another one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.task_steps import loop_rows
from concurtrace.model.spans import Times
from concurtrace.model.states import Reason, State
from concurtrace.model.tasks import BUCKETS, Flavour, Loop, StepFlag, Steps, Tasks, TaskTrace
from concurtrace.model.trace import Trace

_WITHOUT = (Flavour.GREENLET, Flavour.TWISTED)


def with_polls(tasks: TaskTrace, trace: Trace) -> TaskTrace:
    """Add the idle time of such loops, and how late what they ran was."""
    if not any(_waits_unseen(one) for one in tasks.loops):
        return tasks
    late = np.zeros(len(tasks.steps), np.int64)
    loops = list(tasks.loops)
    for number, row in enumerate(loop_rows(tasks, trace).tolist()):
        loop = loops[number]
        if not _waits_unseen(loop) or row < 0:
            continue
        begins, ends = _polls(trace, row, loop)
        loops[number] = _with_idle(loop, begins, ends)
        if loop.flavour in _WITHOUT:
            mine = np.flatnonzero(tasks.steps.loop == number)
            late[mine] = _late(tasks.steps, mine, ends)
            loops[number] = _with_lag(loops[number], late[mine])
    steps, found = tasks.steps, tasks.tasks
    moved = replace(
        steps, ready_ns=steps.ready_ns + late, await_ns=np.maximum(steps.await_ns - late, 0)
    )
    return replace(tasks, steps=moved, tasks=_moved(found, steps, late), loops=tuple(loops))


def _waits_unseen(loop: Loop) -> bool:
    """Tell whether a loop waits where the recorder of tasks does not see it."""
    return loop.flavour in _WITHOUT or (loop.steps > 0 and not loop.iterations)


def _polls(trace: Trace, row: int, loop: Loop) -> tuple[Times, Times]:
    """Return when a loop's thread waited for events."""
    thread = trace.threads[row]
    spans = trace.spans_of(thread)
    chosen = spans.in_state(State.IO_WAIT) & (spans.reason == Reason.POLL.code)
    chosen &= (spans.end_ns > loop.start_ns) & (spans.start_ns < loop.end_ns)
    return spans.start_ns[chosen], spans.end_ns[chosen]


def _late(steps: Steps, mine: NDArray[np.intp], poll_ends: Times) -> Times:
    """Measure how long after the loop last came back each step began, if it waited before that."""
    none: Times = np.zeros(len(mine), np.int64)
    if not len(poll_ends):
        return none
    start = steps.start_ns[mine]
    place = np.searchsorted(poll_ends, start, side="right") - 1
    since = poll_ends[np.maximum(place, 0)]
    waited = start - steps.ready_ns[mine] - steps.await_ns[mine]
    good = (place >= 0) & (steps.ready_ns[mine] == 0) & (waited <= since)
    good &= (steps.flags[mine] & StepFlag.FIRST) == 0
    late: Times = np.where(good, start - since, none)
    return late


def _with_idle(loop: Loop, begins: Times, ends: Times) -> Loop:
    """Add its idle time, and its rounds where nobody counted them."""
    in_ns = loop.end_ns - loop.start_ns
    rounds = begins[1:] - ends[:-1]
    return replace(
        loop,
        idle_ns=min(int((ends - begins).sum()), in_ns),
        in_ns=in_ns,
        iterations=loop.iterations or len(ends),
        longest_iteration_ns=loop.longest_iteration_ns or int(rounds.max(initial=0)),
        ready_sum=loop.steps + loop.callbacks,
    )


def _with_lag(loop: Loop, late: Times) -> Loop:
    return replace(
        loop,
        lag=np.bincount(_bucket(late), minlength=BUCKETS).astype(np.int64),
        lag_most_ns=int(late.max(initial=0)),
    )


def _bucket(ns: Times) -> NDArray[np.intp]:
    """Find the bucket of each time: the inverse of ``bucket_ns``."""
    power = np.log2(np.maximum(ns, 1)).astype(np.int64)
    quarter = (ns >> np.maximum(power - 2, 0)) & 3
    return np.clip(np.where(ns < 256, 0, (power - 8) * 4 + quarter), 0, BUCKETS - 1)


def _moved(tasks: Tasks, steps: Steps, late: Times) -> Tasks:
    """Move what tasks were ready from their waits to their ready time."""
    own = steps.task >= 0
    sums = np.bincount(steps.task[own], late[own], len(tasks)).astype(np.int64)
    moved = np.minimum(sums, tasks.awaiting_ns)
    return replace(tasks, ready_ns=tasks.ready_ns + moved, awaiting_ns=tasks.awaiting_ns - moved)
