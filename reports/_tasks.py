"""Event loops and tasks in the words that every report for people uses."""

from collections.abc import Mapping

from concurtrace.model.report import Report
from concurtrace.model.task_report import LoopReport, TasksReport
from concurtrace.model.tasks import Await, Flavour, Outcome, TaskState
from concurtrace.units import count_text, share_text, time_text

from ._places import Places
from ._text import printable, shorten, shorten_path

STATE_WORDS: Mapping[TaskState, str] = {
    TaskState.RUNNING: "running",
    TaskState.READY: "ready, the loop was busy",
    TaskState.CREATED: "made, not begun",
    TaskState.AWAITING: "awaiting",
    TaskState.CANCELLING: "cancelled, not ended",
}
"""Every state that takes time, in the order of stacks and tables."""

AWAIT_WORDS: Mapping[Await, str] = {
    Await.TIMER: "a timer",
    Await.IO: "input or output",
    Await.SYNC: "a lock or signal",
    Await.QUEUE: "a queue",
    Await.TASK: "a task",
    Await.EXECUTOR: "an executor",
    Await.OTHER: "something else",
}

_COLUMNS = {
    TaskState.RUNNING: "running",
    TaskState.READY: "ready",
    TaskState.AWAITING: "await",
}
_NAME = 34
_PLACE = 40
_KINDS = 5
_BLOCKED = 3


def loop_name(one: LoopReport) -> str:
    """Name a loop by its thread and framework."""
    what = "event loop" if one.flavour is Flavour.UNKNOWN else f"{one.flavour.value} loop"
    return f"{one.thread or f'thread {one.tid}'}, {what}"


def lag_text(one: LoopReport) -> str:
    """Say how late a loop ran what it had to."""
    if one.lag_p50_ns is None or one.lag_p99_ns is None or one.lag_max_ns is None:
        return f"{count_text(one.iterations)} rounds; how late single callbacks were is not known"
    return (
        f"half of what it ran was at most {time_text(one.lag_p50_ns)} late, 99 % at most"
        f" {time_text(one.lag_p99_ns)}, the worst {time_text(one.lag_max_ns)}"
    )


def awaits_text(awaits: Mapping[Await, int]) -> str:
    """Say what tasks awaited: ``input or output 80 %, a timer 20 %``."""
    whole = sum(awaits.values())
    ranked = sorted(awaits.items(), key=lambda one: -one[1])
    return ", ".join(f"{AWAIT_WORDS[kind]} {share_text(ns / whole)}" for kind, ns in ranked)


def outcomes_text(outcomes: Mapping[Outcome, int]) -> str:
    """Say how tasks ended: ``19 done, 1 cancelled``."""
    return ", ".join(f"{count_text(count)} {one.value}" for one, count in outcomes.items())


def answer(tasks: TasksReport) -> str:
    """Say in a sentence or two how loops did."""
    known = [one for one in tasks.loops if one.flavour is not Flavour.UNKNOWN] or [*tasks.loops]
    if not known:
        return "No event loop ran."
    busiest = max(known, key=lambda one: one.busy_ns)
    many = f" The busiest of {len(known)} loops" if len(known) > 1 else " The event loop"
    made = f"{count_text(tasks.task_count)} tasks took {count_text(tasks.steps)} steps."
    return (
        f"{made if tasks.task_count else 'No task was seen.'}{many} was busy"
        f" {share_text(busiest.utilisation)} of its time; {lag_text(busiest)}."
    )


def loop_line(report: Report) -> str | None:
    """Say in a sentence how the loops did; None where none was recorded."""
    if report.tasks is None or not report.tasks.loops:
        return None
    return answer(report.tasks)


def task_table(report: Report) -> list[str]:
    """List the kinds of tasks that took most time, and the steps that held loops up."""
    tasks = report.tasks
    if tasks is None or not tasks.kinds:
        return []
    places = Places.of(report)
    columns = {**_COLUMNS}
    if any(TaskState.CANCELLING in one.states for one in tasks.kinds[:_KINDS]):
        columns[TaskState.CANCELLING] = "ending"
    heads = "".join(f"{head:>9}" for head in columns.values())
    lines = [f"{'tasks':<{_NAME}}{'count':>9}{heads}  mostly for"]
    for one in tasks.kinds[:_KINDS]:
        whole = sum(one.states.values()) or 1
        shares = [share_text(one.states.get(state, 0) / whole) for state in columns]
        most = max(one.awaits, key=lambda kind: one.awaits[kind], default=None)
        name = shorten(printable(one.coroutine), _NAME - 1)
        lines.append(
            f"{name:<{_NAME}}{count_text(one.count):>9}"
            + "".join(f"{share:>9}" for share in shares)
            + (f"  {AWAIT_WORDS[most]}" if most else "")
        )
    blocked = sorted((b for one in tasks.loops for b in one.blocked), key=lambda one: -one.ns)
    for step in blocked[:_BLOCKED]:
        where = shorten_path(places.where(step.where), _PLACE) if step.where else "not known where"
        lines.append(f"The loop stood still for {time_text(step.ns)} in {where}.")
    return lines
