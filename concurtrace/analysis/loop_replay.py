"""Replay the steps of one event loop: how long they take if some of them do something else.

A step starts when the loop is free and it is ready: when its task's last step has ended and it has
waited as long as it did, or, where a task woke it, when that task has come as far again.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from concurtrace.model.tasks import NOBODY, Source, TaskTrace

MOST_STEPS = 200_000
"""More would take longer to replay than a report may take."""


@dataclass(frozen=True)
class Change:
    """What is different: time that steps spend off the loop, and waits that last otherwise."""

    off_loop_ns: Mapping[int, int] = field(default_factory=dict)
    await_ns: Mapping[int, int] = field(default_factory=dict)


class LoopReplay:
    """The steps of one loop and what each follows."""

    def __init__(self, tasks: TaskTrace, loop: int) -> None:
        steps = tasks.steps
        self._rows: list[int] = np.flatnonzero(steps.loop == loop).tolist()
        self._of_task = {row for row in self._rows if steps.task[row] != NOBODY}
        self._start: list[int] = steps.start_ns.tolist()
        self._end: list[int] = steps.end_ns.tolist()
        self._ready: list[int] = (steps.start_ns - steps.ready_ns).tolist()
        self._await: list[int] = steps.await_ns.tolist()
        self._before: dict[int, int] = {}
        self._by: dict[int, int] = {}
        self._link(tasks)

    @property
    def measured_ns(self) -> int:
        """How long the steps took from the first to the last, as recorded."""
        if not self._of_task:
            return 0
        first = min(self._start[row] for row in self._of_task)
        return max(self._end[row] for row in self._of_task) - first

    def _link(self, tasks: TaskTrace) -> None:
        """Find for each step the one of its task before it, and the one that woke it."""
        task, waker = tasks.steps.task.tolist(), tasks.steps.waker.tolist()
        source, parent = tasks.steps.source.tolist(), tasks.tasks.parent.tolist()
        created = tasks.tasks.created_ns.tolist()
        of_task: dict[int, list[int]] = {}
        last: list[int] = []
        for row in self._rows:
            if task[row] == NOBODY:
                continue
            last.append(row)
            mine = of_task.setdefault(task[row], [])
            maker = waker[row] if source[row] == Source.TASK.value else NOBODY
            moment = self._ready[row]
            if mine:
                self._before[row] = mine[-1]
            else:
                maker, moment = parent[task[row]], created[task[row]]
                self._ready[row] = moment
            # The last step of the other that had begun by then; what nobody made follows any.
            those = of_task.get(maker, ()) if mine or maker != NOBODY else last[:-1]
            for other in reversed(those[-8:]):
                if self._start[other] <= moment:
                    self._by[row] = other
                    break
            mine.append(row)

    def run(self, change: Change | None = None) -> int:
        """Replay; return how long it takes from the first step to the last end."""
        change = change or Change()
        follows: dict[int, list[int]] = {}
        missing = dict.fromkeys(self._rows, 0)
        for links in (self._before, self._by):
            for row, other in links.items():
                follows.setdefault(other, []).append(row)
                missing[row] += 1
        waiting = [(self._ready[row], row) for row, count in missing.items() if not count]
        heapq.heapify(waiting)
        starts: dict[int, int] = {}
        ends: dict[int, int] = {}
        free = waiting[0][0] if waiting else 0
        while waiting:
            ready, row = heapq.heappop(waiting)
            starts[row] = max(free, ready)
            ends[row] = starts[row] + self._end[row] - self._start[row]
            free = ends[row] - change.off_loop_ns.get(row, 0)
            for one in follows.get(row, ()):
                missing[one] -= 1
                if not missing[one]:
                    heapq.heappush(waiting, (self._when(one, starts, ends, change), one))
        # Callbacks come when they came: they take time, but do not say when all is done.
        tasks = [row for row in ends if row in self._of_task]
        if not tasks:
            return 0
        return max(ends[row] for row in tasks) - min(starts[row] for row in tasks)

    def _when(
        self, row: int, starts: Mapping[int, int], ends: Mapping[int, int], change: Change
    ) -> int:
        """Tell when a step is ready, now that all that it follows is done."""
        before, by = self._before.get(row), self._by.get(row)
        waited = change.await_ns.get(row)
        if by is not None and waited is None:
            after = starts[by] + self._ready[row] - self._start[by]
            return after if before is None else max(after, ends[before])
        if before is None:
            return self._ready[row]
        return ends[before] + (self._await[row] if waited is None else waited)
