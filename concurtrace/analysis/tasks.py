"""Event loops and tasks, as the report tells them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.await_tree import await_tree
from concurtrace.analysis.awaits import Awaits
from concurtrace.analysis.core_use import peak
from concurtrace.analysis.loops import loop_reports
from concurtrace.analysis.places import OwnPlaces, Places, task_frame, where
from concurtrace.analysis.task_path import task_path
from concurtrace.model.recording import Function
from concurtrace.model.spans import Small, Times
from concurtrace.model.task_report import (
    AwaitPlace,
    TaskFault,
    TaskKind,
    TaskPathStep,
    TaskReport,
    TasksReport,
)
from concurtrace.model.tasks import (
    NOBODY,
    Await,
    Outcome,
    Source,
    StepFlag,
    TaskFlag,
    TaskState,
    TaskTrace,
)
from concurtrace.model.trace import Trace

KEPT_TASKS = 500
KEPT_KINDS = 100
KEPT_PLACES = 100
KEPT_PATH = 50
_PEERS = 3

_STATES = tuple(TaskState)
_OUTCOMES = tuple(Outcome)
_KINDS = tuple(Await)


class TaskFigures:
    """Figures of every task of a trace, worked out once: arrays with an entry per task."""

    def __init__(self, tasks: TaskTrace, end_ns: int) -> None:
        self.trace = tasks
        self.places = OwnPlaces(tasks.stacks)
        self.awaits = Awaits(tasks.stacks)
        found, steps = tasks.tasks, tasks.steps
        ends = {row: one.end_ns or end_ns for row, one in enumerate(tasks.processes)}
        last = np.array([ends[row] for row in found.process.tolist()], np.int64)
        single = (found.flags & TaskFlag.GROUP) == 0
        ended = found.state == TaskState.DONE.code
        self.end_ns = np.where(ended | ~single, found.since_ns, np.maximum(last, found.since_ns))
        # The state it was in at the end is in no total yet.
        still = np.where(single & ~ended, self.end_ns - found.since_ns, 0)
        self.states: dict[TaskState, Times] = {
            TaskState.CREATED: found.created_total_ns + _where(found.state, 0, still),
            TaskState.READY: found.ready_ns + _where(found.state, 1, still),
            TaskState.RUNNING: found.running_ns + _where(found.state, 2, still),
            TaskState.AWAITING: found.awaiting_ns + _where(found.state, 3, still),
            TaskState.CANCELLING: found.cancelling_ns + _where(found.state, 4, still),
        }
        self.step_kinds = self.awaits.kinds(steps.stack, steps.source, steps.flags)
        self.by_kind = self._by_kind(still)
        cancels = enumerate(tasks.cancels.task.tolist())
        self._asked = {task: row for row, task in cancels if not tasks.cancels.until_ns[row]}

    def _by_kind(self, still: Times) -> Times:
        """Divide the waiting of each task among the kinds; what is not kept singly is OTHER."""
        found, steps = self.trace.tasks, self.trace.steps
        own = (steps.task >= 0) & ((steps.flags & (StepFlag.YIELDED | StepFlag.FIRST)) == 0)
        keys = steps.task[own].astype(np.int64) * len(_KINDS) + self.step_kinds[own]
        ready_at_ns = steps.start_ns - steps.ready_ns
        ended_ns = np.minimum(ready_at_ns, self.trace.cancelled_from_ns())
        waited_ns = ended_ns - ready_at_ns + steps.await_ns
        sums = np.bincount(keys, waited_ns[own], len(found) * len(_KINDS))
        table = sums.astype(np.int64).reshape(len(found), len(_KINDS))
        open_kinds = self.awaits.kinds(
            found.waits_at,
            np.zeros(len(found), np.uint8),
            np.where(found.awaits >= 0, np.uint8(StepFlag.ON_TASK), np.uint8(0)),
        )
        waits = found.state == TaskState.AWAITING.code
        table[np.flatnonzero(waits), open_kinds[waits]] += still[waits]
        rest = self.states[TaskState.AWAITING] - table.sum(1)
        table[:, Await.OTHER.code] += np.maximum(rest, 0)
        return table

    def coroutine(self, task: int) -> str:
        """Name the coroutine function of a task; its own name where that is not known."""
        return self.function(task).name or self.trace.names[task] or "not known"

    def function(self, task: int) -> Function:
        """Return the coroutine function of a task."""
        return self.trace.stacks.functions[int(self.trace.tasks.code[task])]

    def made_at(self, task: int) -> str:
        """Name the place where a task was made; "" where that is not known."""
        frame = task_frame(self.trace.stacks.frames(int(self.trace.tasks.made_at[task])))
        return "" if frame is None else where(frame)

    def name(self, task: int) -> str:
        """Name a task; "" for none."""
        return self.trace.names[task] if task != NOBODY else ""

    def cancelled(self, task: int) -> tuple[str, str]:
        """Name the task that asked one to end, and the place; "" where nobody did."""
        cancels = self.trace.cancels
        row = self._asked.get(task)
        if row is None:
            return "", ""
        return self.name(int(cancels.by[row])), self.places.of(int(cancels.stack[row])) or ""

    def states_of(self, task: int) -> dict[TaskState, int]:
        """Return the time of a task by state, without those it never was in."""
        return {state: int(ns[task]) for state, ns in self.states.items() if ns[task]}

    def awaits_of(self, task: int) -> dict[Await, int]:
        """Return the waiting of a task by kind."""
        row = self.by_kind[task].tolist()
        return {kind: row[kind.code] for kind in _KINDS if row[kind.code]}


def tasks_report(tasks: TaskTrace, trace: Trace | None) -> TasksReport:
    """Work out what there is to tell of a task trace; ``trace`` are the states of the threads."""
    zero_ns = trace.start_ns if trace is not None else min(p.start_ns for p in tasks.processes)
    figures = TaskFigures(tasks, _end_ns(tasks, trace))
    single = np.flatnonzero((tasks.tasks.flags & TaskFlag.GROUP) == 0)
    longest = single[np.argsort(tasks.tasks.created_ns[single] - figures.end_ns[single])]
    kept = np.sort(longest[:KEPT_TASKS]).tolist()
    return TasksReport(
        loops=loop_reports(figures, trace, zero_ns),
        tasks=tuple(_task(figures, row, zero_ns) for row in kept),
        task_count=int(tasks.tasks.count.sum()),
        kinds=task_kinds(figures),
        tree=await_tree(figures),
        places=await_places(figures),
        faults=_faults(tasks, figures.places),
        steps=sum(one.steps for one in tasks.processes),
        steps_kept=sum(one.steps_kept for one in tasks.processes),
        most_alive=peak(
            zip(
                tasks.tasks.created_ns[single].tolist(),
                figures.end_ns[single].tolist(),
                strict=True,
            )
        ),
        path=_path(figures),
    )


def _path(figures: TaskFigures) -> tuple[TaskPathStep, ...]:
    """Sum the critical path of the tasks up by what it was spent on; the longest first."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for one in task_path(figures.trace):
        place = figures.places.of(one.stack) or ""
        sums[one.what.value, figures.coroutine(one.task), place] += one.end_ns - one.start_ns
    return tuple(TaskPathStep(*key, ns=ns) for key, ns in sums.most_common(KEPT_PATH))


def _end_ns(tasks: TaskTrace, trace: Trace | None) -> int:
    """Return when the run ended, for processes that were killed."""
    ends = [one.end_ns for one in tasks.loops] + [one.start_ns for one in tasks.processes]
    return max([*ends, trace.end_ns] if trace is not None else ends)


def _task(figures: TaskFigures, row: int, zero_ns: int) -> TaskReport:
    found = figures.trace.tasks
    cancelled_by, cancelled_at = figures.cancelled(row)
    return TaskReport(
        pid=figures.trace.processes[int(found.process[row])].pid,
        name=figures.name(row),
        coroutine=figures.coroutine(row),
        created_at=figures.made_at(row),
        parent=figures.name(int(found.parent[row])),
        waiter=figures.name(int(found.waiter[row])),
        outcome=_OUTCOMES[int(found.outcome[row])],
        start_ns=int(found.created_ns[row]) - zero_ns,
        end_ns=int(figures.end_ns[row]) - zero_ns,
        states=figures.states_of(row),
        awaits=figures.awaits_of(row),
        steps=int(found.steps[row]),
        longest_step_ns=int(found.longest_step_ns[row]),
        longest_ready_ns=int(found.longest_ready_ns[row]),
        waits_at=figures.places.of(int(found.waits_at[row])) or "",
        on=figures.name(int(found.awaits[row])),
        cancelled_by=cancelled_by,
        cancelled_at=cancelled_at,
    )


def task_kinds(figures: TaskFigures) -> tuple[TaskKind, ...]:
    """Put tasks of one coroutine made at one place together; those with most time first."""
    found = figures.trace.tasks
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    pairs = np.stack((found.code.astype(np.int64), found.made_at.astype(np.int64)))
    unique, inverse = np.unique(pairs, axis=1, return_inverse=True)
    inverse = inverse.ravel()
    order = np.argsort(inverse, kind="stable")
    bounds = np.searchsorted(inverse[order], np.arange(unique.shape[1] + 1))
    for number in range(unique.shape[1]):
        rows = order[bounds[number] : bounds[number + 1]].tolist()
        groups[figures.coroutine(rows[0]), figures.made_at(rows[0])] += rows
    kinds = [_kind(figures, *key, np.array(rows, np.intp)) for key, rows in groups.items()]
    kinds.sort(key=lambda one: (-sum(one.states.values()), one.coroutine, one.created_at))
    return tuple(kinds[:KEPT_KINDS])


def _kind(figures: TaskFigures, coroutine: str, made_at: str, rows: NDArray[np.intp]) -> TaskKind:
    found = figures.trace.tasks
    kinds = figures.by_kind[rows].sum(0).tolist()
    outcomes: Counter[Outcome] = Counter()
    for outcome, count in zip(
        found.outcome[rows].tolist(), found.count[rows].tolist(), strict=True
    ):
        outcomes[_OUTCOMES[outcome]] += count
    return TaskKind(
        coroutine=coroutine,
        created_at=made_at,
        count=int(found.count[rows].sum()),
        states=_sums(figures.states, rows),
        awaits={kind: kinds[kind.code] for kind in _KINDS if kinds[kind.code]},
        outcomes={outcome: count for outcome, count in outcomes.items() if count},
        steps=int(found.steps[rows].sum()),
        longest_step_ns=int(found.longest_step_ns[rows].max(initial=0)),
    )


def _sums(states: Mapping[TaskState, Times], rows: NDArray[np.intp]) -> dict[TaskState, int]:
    sums = {state: int(ns[rows].sum()) for state, ns in states.items()}
    return {state: ns for state, ns in sums.items() if ns}


def await_places(figures: TaskFigures) -> tuple[AwaitPlace, ...]:
    """Add up the waits by the user's line and kind; those that took longest first."""
    sites, trace = figures.trace.sites, figures.trace
    on_task = np.where(sites.on_tasks > 0, np.uint8(StepFlag.ON_TASK), np.uint8(0))
    kinds = figures.awaits.kinds(sites.stack, sites.source, on_task)
    peers = _peers(trace)
    sums: dict[tuple[str, str, Await], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    answered: dict[tuple[str, str, Await], Counter[str]] = defaultdict(Counter)
    for row in range(len(sites)):
        stack = int(sites.stack[row])
        kind = _KINDS[int(kinds[row])]
        key = figures.places.of(stack) or "", _how(figures, stack), kind
        one = sums[key]
        one[0] += int(sites.count[row])
        one[1] += int(sites.ns[row])
        one[2] = max(one[2], int(sites.longest_ns[row]))
        one[3] += int(sites.ready_ns[row])
        if Source(int(sites.source[row])) is Source.IO:
            answered[key].update(peers.get(stack, {}))
    ranked = sorted(sums.items(), key=lambda item: (-item[1][1], item[0][0]))[:KEPT_PLACES]
    return tuple(
        AwaitPlace(
            *key,
            count=one[0],
            ns=one[1],
            longest_ns=one[2],
            ready_ns=one[3],
            peers=tuple(peer for peer, _ in answered[key].most_common(_PEERS)),
        )
        for key, one in ranked
    )


def _peers(trace: TaskTrace) -> dict[int, Counter[str]]:
    """Add up for every stack how long its waits were that a peer ended."""
    steps = trace.steps
    known = np.flatnonzero(steps.thing)
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for stack, thing, ns in zip(
        steps.stack[known].tolist(),
        steps.thing[known].tolist(),
        steps.await_ns[known].tolist(),
        strict=True,
    ):
        found[stack][trace.things[thing]] += ns
    return found


def _how(figures: TaskFigures, stack: int) -> str:
    """Name the innermost function of a wait: ``Queue.get``."""
    frames = figures.trace.stacks.frames(stack)
    return frames[0].function.name if frames else ""


def _faults(tasks: TaskTrace, places: Places) -> tuple[TaskFault, ...]:
    counts = Counter((one.kind, one.text, places.of(one.stack) or "") for one in tasks.faults)
    return tuple(TaskFault(*key, count) for key, count in counts.most_common())


def _where(states: Small, code: int, ns: Times) -> Times:
    found: Times = np.where(states == code, ns, 0)
    return found
