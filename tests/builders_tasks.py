"""What a report tells of an event loop and its tasks, with names to choose; and a recording."""

from typing import Any

import numpy as np

from concurtrace.model.recording import Function
from concurtrace.model.spans import Stacks
from concurtrace.model.states import State
from concurtrace.model.task_report import (
    AwaitNode,
    AwaitPlace,
    BlockedStep,
    LoopReport,
    TaskFault,
    TaskKind,
    TaskPathStep,
    TaskReport,
    TasksReport,
)
from concurtrace.model.tasks import (
    BUCKETS,
    NOBODY,
    Await,
    Cancels,
    FaultKind,
    Flavour,
    Loop,
    Outcome,
    Source,
    StepFlag,
    Steps,
    TaskProcess,
    Tasks,
    TaskState,
    TaskTrace,
)

MS = 1_000_000
STATES = {TaskState.RUNNING: 20 * MS, TaskState.READY: 10 * MS, TaskState.AWAITING: 70 * MS}
AWAITS = {Await.IO: 60 * MS, Await.TIMER: 10 * MS}


def tasks_report(name: str, file: str, thread: str, pid: int = 100) -> TasksReport:
    """One loop with two tasks of one kind, a blocked step, and an exception that was lost."""
    where = f"{file}:3 in {name}"
    blocked = BlockedStep(
        5 * MS, 12 * MS, 11 * MS, name, name, where, name, State.SLEEP, 2, 20 * MS
    )
    return TasksReport(
        loops=(
            LoopReport(
                pid=pid,
                tid=100,
                thread=thread,
                name=name,
                flavour=Flavour.ASYNCIO,
                start_ns=MS,
                end_ns=101 * MS,
                utilisation=0.4,
                busy_ns=40 * MS,
                idle_ns=60 * MS,
                steps=30,
                steps_ns=35 * MS,
                callbacks=40,
                callbacks_ns=3 * MS,
                iterations=25,
                longest_iteration_ns=13 * MS,
                lag_p50_ns=80_000,
                lag_p99_ns=12 * MS,
                lag_max_ns=13 * MS,
                ready_mean=2.8,
                ready_most=9,
                lag=((0, 10), (65_536, 50), (8 * MS, 10)),
                blocked=(blocked, BlockedStep(9, 11 * MS, 0, "", "", "", "", None, 0, 0)),
            ),
        ),
        tasks=(_task(name, where, pid),),
        task_count=2,
        kinds=(
            TaskKind(name, where, 2, STATES, AWAITS, {Outcome.OK: 1, Outcome.ERROR: 1}, 30, MS),
            TaskKind("idle", "", 1, {}, {}, {Outcome.PENDING: 1}, 0, 0),
        ),
        tree=(AwaitNode("main", 1, STATES, "", (AwaitNode(name, 2, STATES, where, ()),)),),
        places=(AwaitPlace(where, name, Await.IO, 28, 60 * MS, 9 * MS, 10 * MS, (name,)),),
        faults=(TaskFault(FaultKind.NEVER_RETRIEVED, name, where, 1),),
        steps=70,
        steps_kept=30,
        most_alive=2,
        path=(
            TaskPathStep("awaiting", name, where, 60 * MS),
            TaskPathStep("running", name, "", MS),
        ),
    )


def _task(name: str, where: str, pid: int) -> TaskReport:
    return TaskReport(
        pid=pid,
        name=name,
        coroutine=name,
        created_at=where,
        parent="Task-1",
        waiter="Task-1",
        outcome=Outcome.OK,
        start_ns=2 * MS,
        end_ns=102 * MS,
        states=STATES,
        awaits=AWAITS,
        steps=15,
        longest_step_ns=12 * MS,
        longest_ready_ns=9 * MS,
        waits_at=where,
        on="",
    )


def task_trace(zero_ns: int, tid: int = 100) -> TaskTrace:
    """Two tasks of one loop, times in ms after ``zero_ns``.

    ``ask`` is made at 1, runs 2 to 3, awaits until ``answer`` wakes it at 10, runs 12 to 14,
    awaits, is asked to end at 20, and runs 25 to 26. ``answer`` runs 4 to 10, then waits for ever.
    """
    last = StepFlag.LAST | StepFlag.CANCELLING
    # start, end, ready, await, task, stack, waker, source, flags
    rows = np.array(
        [
            (2, 3, 0, 0, 0, 0, NOBODY, Source.START.value, StepFlag.FIRST.value),
            (4, 10, 0, 0, 1, 0, NOBODY, Source.START.value, StepFlag.FIRST.value),
            (12, 14, 2, 7, 0, 1, 1, Source.TASK.value, 0),
            (25, 26, 3, 8, 0, 1, NOBODY, Source.TIMER.value, last.value),
        ],
        np.int64,
    ).T
    start, end, ready, waited = rows[:4] * MS
    none = np.zeros(rows.shape[1], np.uint32)
    columns: dict[str, Any] = {
        "start_ns": start + zero_ns, "end_ns": end + zero_ns, "ready_ns": ready,
        "await_ns": waited, "task": rows[4], "loop": none, "stack": rows[5], "waker": rows[6],
        "waker_tid": none, "thing": none, "source": rows[7], "flags": rows[8],
    }  # fmt: skip
    kinds = dict(zip(Steps.names(), Steps.kinds(), strict=True))
    steps = Steps(**{name: one.astype(kinds[name]) for name, one in columns.items()})
    return TaskTrace(
        processes=(TaskProcess(100, zero_ns, None, 4, 4, 2, 0, 0),),
        loops=(loop(zero_ns, tid),),
        tasks=_tasks(zero_ns),
        names=("ask", "answer"),
        steps=steps,
        stacks=Stacks(
            np.zeros(3, np.uint32),
            np.array([0, 1, 1], np.uint32),
            np.array([0, 7, 20], np.uint32),
            (Function("", 0, ""), Function("chat.py", 1, "talk")),
        ),
        cancels=Cancels(
            np.array([zero_ns + 20 * MS]),
            np.array([0]),
            np.array([0], np.int32),
            np.array([NOBODY], np.int32),
            np.array([2], np.uint32),
        ),
    )


def _tasks(zero_ns: int) -> Tasks:
    given: dict[str, list[int]] = {
        "created_ns": [zero_ns + MS, zero_ns + MS],
        "since_ns": [zero_ns + 26 * MS, zero_ns + 10 * MS],
        "state": [TaskState.DONE.code, TaskState.AWAITING.code],
        "outcome": [3, 0],
        "parent": [NOBODY, NOBODY],
        "waiter": [NOBODY, NOBODY],
        "awaits": [NOBODY, NOBODY],
        "waits_at": [1, 1],
        "made_at": [2, 2],
        "code": [1, 1],
        "steps": [3, 1],
        "kept": [3, 1],
        "count": [1, 1],
    }
    kinds = zip(Tasks.names(), Tasks.kinds(), strict=True)
    return Tasks(*(np.array(given.get(name, [0, 0]), kind) for name, kind in kinds))


def loop(zero_ns: int, tid: int) -> Loop:
    """Make a loop that lived for 26 ms."""
    given: dict[str, Any] = dict.fromkeys(Loop.__dataclass_fields__, 0)
    given |= {"tid": tid, "flavour": Flavour.ASYNCIO, "name": "asyncio.Loop", "iterations": 4}
    given |= {"lag": np.zeros(BUCKETS, np.int64), "iteration": np.zeros(BUCKETS, np.int64)}
    return Loop(**given | {"start_ns": zero_ns, "end_ns": zero_ns + 26 * MS})
