"""The critical path of an event loop: which steps, waits and jobs decided how long it all took.

Walked backwards from the last step. Before a step the task was ready, or only just made; before
that it waited. Where another task ended the wait the path goes on there, where a thread of an
executor did, in the job; a wait for a peer or a timer is itself on the path. A task's start leads
to its maker.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import Enum

import numpy as np

from concurtrace.model.tasks import NOBODY, Source, StepFlag, TaskFlag, TaskTrace
from concurtrace.recording.reasons import standard_module

_SLACK_NS = 5_000_000
"""A job's thread tells the loop so soon after the job has ended."""
_OUTLIVED = 0.1
"""By so much of the whole may others outlive what the loop was started for."""


class OnPath(Enum):
    """What the path was spent on, in words."""

    RUNNING = "running"
    READY = "ready, the loop was busy"
    CREATED = "made, not begun"
    AWAITING = "awaiting"
    QUEUED = "waiting for a thread of an executor"
    IN_THREAD = "in a thread of an executor"


@dataclass(frozen=True)
class Piece:
    """A piece of the path: what ``task`` did from when to when; ``stack`` is where it waited."""

    what: OnPath
    task: int
    start_ns: int
    end_ns: int
    stack: int
    step: int


def task_path(tasks: TaskTrace) -> tuple[Piece, ...]:
    """Walk the path; its pieces in order of time, none where no step was kept."""
    if not len(tasks.steps):
        return ()
    return _Walk(tasks).walk()


class _Walk:
    """One walk back."""

    def __init__(self, tasks: TaskTrace) -> None:
        steps = tasks.steps
        self._tasks = tasks
        self._start: list[int] = steps.start_ns.tolist()
        self._end: list[int] = steps.end_ns.tolist()
        self._of_task: dict[int, list[int]] = defaultdict(list)
        for row, task in enumerate(steps.task.tolist()):
            if task != NOBODY:
                self._of_task[task].append(row)
        self._starts = {
            task: steps.start_ns[np.array(rows, np.intp)] for task, rows in self._of_task.items()
        }
        self._jobs: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row in range(len(tasks.jobs)):
            key = int(tasks.jobs.task[row]), int(tasks.jobs.tid[row])
            self._jobs[key].append(row)
        self._pieces: list[Piece] = []

    def _last(self) -> int | None:
        """Choose where to begin: the last step of a task of the user's own that nobody made."""
        functions, tasks = self._tasks.stacks.functions, self._tasks.tasks
        tasks_of = self._tasks.steps.task
        own = [
            rows[-1]
            for task, rows in self._of_task.items()
            if standard_module(functions[int(tasks.code[task])].file) is None
            and tasks.parent[task] == NOBODY
            and not tasks.flags[task] & TaskFlag.SHUTDOWN
        ]
        ends = own or [rows[-1] for rows in self._of_task.values()]
        last = max(ends, key=lambda row: self._end[row], default=None)
        first = min(own, key=lambda row: tasks.created_ns[tasks_of[row]], default=None)
        # What the loop was started for ends about last; others may outlive it by a little.
        if first is not None and last is not None:
            span = self._end[last] - self._start[0]
            if self._end[last] - self._end[first] < _OUTLIVED * span:
                return first
        return last

    def _step_at(self, task: int, time_ns: int, before: int) -> int | None:
        """Find the last step of a task that had begun by a time and is older than another."""
        rows = self._of_task.get(task)
        if not rows:
            return None
        place = int(np.searchsorted(self._starts[task], time_ns, side="right")) - 1
        while place >= 0 and self._start[rows[place]] >= before:
            place -= 1
        return rows[place] if place >= 0 else None

    def walk(self) -> tuple[Piece, ...]:
        step = self._last()
        until = self._end[step] if step is not None else 0
        while step is not None:
            task = int(self._tasks.steps.task[step])
            self._add(OnPath.RUNNING, task, self._start[step], until, 0, step)
            found = self._before(step, task)
            if found is None:
                break
            step, until = found
        return tuple(reversed(self._pieces))

    def _before(self, step: int, task: int) -> tuple[int, int] | None:
        """Tell what comes before a step: another step, and until when it is on the path."""
        steps, start = self._tasks.steps, self._start[step]
        if steps.flags[step] & StepFlag.FIRST:
            born = int(self._tasks.tasks.created_ns[task])
            self._add(OnPath.CREATED, task, born, start, 0, step)
            return self._from(int(self._tasks.tasks.parent[task]), born, start)
        ready = start - int(steps.ready_ns[step])
        self._add(OnPath.READY, task, ready, start, 0, step)
        source = int(steps.source[step])
        if source == Source.TASK.value and int(steps.waker[step]) not in (NOBODY, task):
            found = self._from(int(steps.waker[step]), ready, start)
            if found is not None:
                return found
        if source == Source.THREAD.value:
            found = self._through_job(step, task, ready)
            if found is not None:
                return found
        waited = int(steps.await_ns[step])
        self._add(OnPath.AWAITING, task, ready - waited, ready, int(steps.stack[step]), step)
        return self._from(task, ready - waited, start)

    def _from(self, task: int, time_ns: int, before: int) -> tuple[int, int] | None:
        found = self._step_at(task, time_ns, before)
        return None if found is None else (found, min(self._end[found], time_ns))

    def _through_job(self, step: int, task: int, ready: int) -> tuple[int, int] | None:
        """Follow the job whose end woke the task back to where it was given."""
        jobs = self._tasks.jobs
        tid = int(self._tasks.steps.waker_tid[step])
        for row in reversed(self._jobs.get((task, tid), ())):
            submitted, started = int(jobs.submitted_ns[row]), int(jobs.started_ns[row])
            if started <= ready <= int(jobs.ended_ns[row]) + _SLACK_NS:
                stack = int(self._tasks.steps.stack[step])
                self._add(OnPath.IN_THREAD, task, started, ready, stack, step)
                self._add(OnPath.QUEUED, task, submitted, started, stack, step)
                return self._from(task, submitted, self._start[step])
        return None

    def _add(
        self, what: OnPath, task: int, start_ns: int, end_ns: int, stack: int, step: int
    ) -> None:
        if end_ns > start_ns:
            self._pieces.append(Piece(what, task, start_ns, end_ns, stack, step))


def awaited_places(tasks: TaskTrace, times_ns: list[int]) -> list[int]:
    """Find for moments at which the loop was idle the stack of the wait on the path, 0 = none."""
    pieces = task_path(tasks)
    starts = np.array([one.start_ns for one in pieces], np.int64)
    found = []
    for time_ns in times_ns:
        place = int(np.searchsorted(starts, time_ns, side="right")) - 1
        fits = place >= 0 and pieces[place].end_ns >= time_ns
        found.append(pieces[place].stack if fits else 0)
    return found
