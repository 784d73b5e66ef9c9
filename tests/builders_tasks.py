"""What a report tells of an event loop and its tasks, with names to choose."""

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
from concurtrace.model.tasks import Await, FaultKind, Flavour, Outcome, TaskState

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
