"""Lay tasks out as lanes of the timeline: made, ready, running, and between them awaiting."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.tasks import StepFlag, Steps, TaskFlag, TaskState, TaskTrace
from concurtrace.model.trace import Trace

from .lanes import REASONS, Extra, Lane, LaneKind, fill

MOST = 100
"""Tasks drawn: those that lived longest."""


def task_lanes(tasks: TaskTrace, trace: Trace, tick: int) -> Iterator[Lane]:
    """Make a lane for each of the tasks that lived longest, in order of their creation."""
    found, steps = tasks.tasks, tasks.steps
    order = np.argsort(steps.task, kind="stable")
    bounds = np.searchsorted(steps.task[order], np.arange(len(found) + 1))
    ended = found.state == TaskState.DONE.code
    ends = np.where(ended, found.since_ns, trace.end_ns)
    drawn = np.flatnonzero(((found.flags & TaskFlag.GROUP) == 0) & (found.kept > 0))
    longest = drawn[np.argsort(found.created_ns[drawn] - ends[drawn], kind="stable")][:MOST]
    for row in np.sort(longest).tolist():
        mine = order[bounds[row] : bounds[row + 1]]
        life = int(found.created_ns[row]), int(ends[row])
        yield _lane(steps, row, mine, life, trace, tick)


def _lane(
    steps: Steps, row: int, mine: NDArray[np.intp], life: tuple[int, int], trace: Trace, tick: int
) -> Lane:
    start, end = steps.start_ns[mine], steps.end_ns[mine]
    first = (steps.flags[mine] & StepFlag.FIRST) != 0
    # Before every step a stretch in which it was ready, before the first one since it was made.
    since = np.where(first, life[0], start - steps.ready_ns[mine])
    before = np.where(first, int(Extra.TASK_CREATED), int(Extra.TASK_READY))
    starts = np.stack((since, start), 1).ravel()
    stops = np.stack((start, end), 1).ravel()
    kinds = np.stack((before, np.full(len(mine), int(Extra.TASK_RUNNING))), 1).ravel()
    none = np.zeros(len(kinds), np.int64)
    born, died = (max(0, one - trace.start_ns) // tick for one in life)
    intervals = fill(
        np.maximum(starts - trace.start_ns, 0) // tick,
        np.maximum(stops - trace.start_ns, 0) // tick,
        (kinds.astype(np.int64) * REASONS, none, none, none),
        (born, died),
        int(Extra.TASK_AWAITING) * REASONS,
    )
    return Lane(LaneKind.TASK, 0, row, born, intervals)
