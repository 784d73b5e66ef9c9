"""Lay tasks out as lanes of the timeline: made, awaiting, ready, about to end, running.

Every interval has the stack that tells most of it: where the task was made, where it awaited, or
from where it went on. An awaiting one also tells what ended it, and which task or thread that was.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import Stacks
from concurtrace.model.tasks import NOBODY, Source, StepFlag, TaskFlag, TaskState, TaskTrace
from concurtrace.model.trace import Trace

from .._places import Places
from .._text import printable
from .lanes import REASONS, Extra, Lane, LaneKind, Layout, Numbers, fill, lane_numbers
from .naming import object_text

MOST = 100
"""Tasks drawn: those that lived longest."""

_KINDS = {
    TaskState.CREATED.code: Extra.TASK_CREATED,
    TaskState.READY.code: Extra.TASK_READY,
    TaskState.RUNNING.code: Extra.TASK_RUNNING,
    TaskState.AWAITING.code: Extra.TASK_AWAITING,
    TaskState.CANCELLING.code: Extra.TASK_CANCELLING,
}
_THINGS = {
    Source.IO.value: "input or output",
    Source.TIMER.value: "a timer",
    Source.TASK.value: "another task",
    Source.THREAD.value: "another thread",
}


@dataclass(frozen=True, eq=False)
class Drawn:
    """A layout with lanes of tasks: their ``what`` is a row of ``stacks``, ``on`` of ``things``.

    The trace's own stacks come first in ``stacks``; ``things`` are counted behind its objects.
    """

    layout: Layout
    stacks: Stacks
    things: tuple[str, ...] = ()


def with_tasks(layout: Layout, trace: Trace, tasks: TaskTrace | None, most: int = MOST) -> Drawn:
    """Add a lane for each of the tasks that lived longest, in order of their creation."""
    if tasks is None or not len(tasks.steps):
        return Drawn(layout, trace.stacks)
    drawing = _Drawing(tasks, trace, layout, most)
    lanes = tuple(drawing.lane(row) for row in drawing.rows)
    return Drawn(
        replace(layout, lanes=layout.lanes + lanes),
        _joined(trace.stacks, tasks.stacks),
        drawing.things,
    )


def thing_text(trace: Trace, drawn: Drawn, row: int, places: Places) -> str:
    """Name what was waited for; "" for nothing."""
    own = len(trace.objects)
    if row >= own:
        return printable(drawn.things[row - own])
    return object_text(trace, trace.objects[row], places) if row else ""


def _joined(first: Stacks, second: Stacks) -> Stacks:
    """Put two tables of stacks one behind the other."""
    moved = np.where(second.parent > 0, second.parent + len(first.parent), 0)
    return Stacks(
        np.concatenate((first.parent, moved.astype(np.uint32))),
        np.concatenate((first.code, second.code + np.uint32(len(first.functions)))),
        np.concatenate((first.line, second.line)),
        first.functions + second.functions,
    )


class _Drawing:
    """What the lanes are made from: the steps of their tasks, and what is told of each."""

    def __init__(self, tasks: TaskTrace, trace: Trace, layout: Layout, most: int) -> None:
        self._tasks, self._trace, self._tick = tasks, trace, layout.tick_ns
        found = tasks.tasks
        ended = found.state == TaskState.DONE.code
        self._ends = np.where(ended, found.since_ns, trace.end_ns)
        drawn = np.flatnonzero(((found.flags & TaskFlag.GROUP) == 0) & (found.kept > 0))
        longest = np.argsort(found.created_ns[drawn] - self._ends[drawn], kind="stable")
        self.rows: list[int] = np.sort(drawn[longest[:most]]).tolist()
        mine = np.flatnonzero(np.isin(tasks.steps.task, self.rows))
        mine = mine[np.argsort(tasks.steps.task[mine], kind="stable")]
        self._steps = tasks.steps.take(mine)
        self._what = self._stack(self._steps.stack)
        self._who = self._enders(len(layout.lanes))
        self._on = self._reasons()
        self._asked = tasks.cancelled_from_ns()[mine]

    def _stack(self, rows: NDArray[np.uint32]) -> Numbers:
        moved: Numbers = np.where(
            rows > 0, rows.astype(np.int64) + len(self._trace.stacks.parent), 0
        )
        return moved

    def _enders(self, first: int) -> Numbers:
        """Tell for every step the lane of the task or thread that ended the wait before, plus 1."""
        steps, trace = self._steps, self._trace
        of_tasks = np.zeros(len(self._tasks.tasks) + 1, np.int64)
        of_tasks[np.array(self.rows, np.intp)] = first + 1 + np.arange(len(self.rows))
        who = of_tasks[steps.waker]  # NOBODY finds the last one: none
        known = np.flatnonzero((steps.waker == NOBODY) & (steps.waker_tid > 0))
        ended = steps.start_ns[known] - steps.ready_ns[known]
        threads = trace.rows_of(steps.waker_tid[known], ended)
        there = threads >= 0
        who[known[there]] = lane_numbers(trace)[threads[there]] + 1
        return who

    def _reasons(self) -> Numbers:
        """Tell for every step the row of what had ended the wait before it."""
        steps, named = self._steps, len(self._trace.objects)
        keys = steps.source.astype(np.int64) + 256 * steps.thing.astype(np.int64)
        known, inverse = np.unique(keys, return_inverse=True)
        rows = np.zeros(len(known), np.int64)
        texts: list[str] = []
        for place, key in enumerate(known.tolist()):
            text = _THINGS.get(key % 256)
            peer = self._tasks.things[key // 256]
            if text is not None:
                rows[place] = named + len(texts)
                texts.append(f"{text}, {peer}" if peer else text)
        self.things = tuple(texts)
        return rows[inverse]

    def lane(self, row: int) -> Lane:
        """Make the lane of a task."""
        first, last = np.searchsorted(self._steps.task, [row, row + 1])
        mine = slice(int(first), int(last))
        parts = [*self._of_steps(row, mine), *self._at_the_end(row, mine)]
        starts, stops, *columns = (np.concatenate(one) for one in zip(*parts, strict=True))
        columns[0] = columns[0] * REASONS
        found, trace, tick = self._tasks.tasks, self._trace, self._tick
        born, died = (
            max(0, int(one) - trace.start_ns) // tick
            for one in (found.created_ns[row], self._ends[row])
        )
        folded = found.kept[row] < found.steps[row]
        intervals = fill(
            np.maximum(starts - trace.start_ns, 0) // tick,
            np.maximum(stops - trace.start_ns, 0) // tick,
            tuple(columns),
            (born, died),
            int(Extra.FOLDED if folded else Extra.TASK_AWAITING) * REASONS,
        )
        return Lane(LaneKind.TASK, 0, row, born, intervals)

    def _of_steps(self, row: int, mine: slice) -> list[tuple[Numbers, ...]]:
        """Each step with the wait before it: awaiting, ready, about to end, running."""
        found, steps = self._tasks.tasks, self._steps
        start, end = steps.start_ns[mine], steps.end_ns[mine]
        first = (steps.flags[mine] & StepFlag.FIRST) != 0
        ready = np.where(first, found.created_ns[row], start - steps.ready_ns[mine])
        began = np.where(first, ready, ready - steps.await_ns[mine])
        asked = np.clip(self._asked[mine], began, start)
        edges = (began, np.minimum(ready, asked), asked, start, end)
        kinds = (
            np.full(len(start), int(Extra.TASK_AWAITING)),
            np.where(first, int(Extra.TASK_CREATED), int(Extra.TASK_READY)),
            np.full(len(start), int(Extra.TASK_CANCELLING)),
            np.full(len(start), int(Extra.TASK_RUNNING)),
        )
        none = np.zeros(len(start), np.int64)
        made_at = int(self._stack(found.made_at[row : row + 1])[0])
        what = np.where(first, 0, self._what[mine])
        before = np.where(first, made_at, what)
        columns = (
            edges[:-1],
            edges[1:],
            kinds,
            (what, before, before, what),
            (self._who[mine], none, none, none),
            (self._on[mine], none, none, none),
        )
        return [tuple(np.stack(one, 1).ravel().astype(np.int64) for one in columns)]

    def _at_the_end(self, row: int, mine: slice) -> list[tuple[Numbers, ...]]:
        """What a task did that has not ended: it waited, and then was in its last state."""
        found = self._tasks.tasks
        state = int(found.state[row])
        if state == TaskState.DONE.code:
            return []
        since = int(found.since_ns[row])
        stack = int(self._stack(found.waits_at[row : row + 1])[0])
        left = int(self._steps.end_ns[mine].max(initial=0))
        columns = (
            (min(left, since), since),
            (since, int(self._ends[row])),
            (int(Extra.TASK_AWAITING), int(_KINDS[state])),
            (stack, stack),
            (0, 0),
            (0, 0),
        )
        return [tuple(np.array(one, np.int64) for one in columns)]
