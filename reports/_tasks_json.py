"""Event loops and tasks as JSON objects."""

from typing import Any

from concurtrace.model.task_report import (
    AwaitNode,
    AwaitPlace,
    BlockedStep,
    LoopReport,
    TaskFault,
    TaskKind,
    TaskReport,
    TasksReport,
)

Object = dict[str, Any]


def whole(report: TasksReport) -> Object:
    """What is told of all tasks together; single ones stand with their processes."""
    return {
        "count": report.task_count,
        "listed": len(report.tasks),
        "most_alive": report.most_alive,
        "steps": report.steps,
        "steps_kept": report.steps_kept,
        "kinds": [_kind(one) for one in report.kinds],
        "await_tree": [_node(one) for one in report.tree],
        "awaits": [_place(one) for one in report.places],
        "faults": [_fault(one) for one in report.faults],
        "critical_path": [
            {"what": one.what, "coroutine": one.coroutine, "where": one.where, "ns": one.ns}
            for one in report.path
        ],
    }


def of_process(report: TasksReport, pid: int) -> Object:
    """The loops and tasks of one process; nothing for one that had none."""
    loops = [_loop(one) for one in report.loops if one.pid == pid]
    tasks = [_task(one) for one in report.tasks if one.pid == pid]
    return {"tasks": tasks, "loops": loops} if loops or tasks else {}


def _loop(one: LoopReport) -> Object:
    return {
        "tid": one.tid,
        "thread": one.thread,
        "name": one.name,
        "flavour": one.flavour.value,
        "start_ns": one.start_ns,
        "end_ns": one.end_ns,
        "utilisation": one.utilisation,
        "busy_ns": one.busy_ns,
        "idle_ns": one.idle_ns,
        "steps": one.steps,
        "steps_ns": one.steps_ns,
        "callbacks": one.callbacks,
        "callbacks_ns": one.callbacks_ns,
        "iterations": one.iterations,
        "longest_iteration_ns": one.longest_iteration_ns,
        "lag_p50_ns": one.lag_p50_ns,
        "lag_p99_ns": one.lag_p99_ns,
        "lag_max_ns": one.lag_max_ns,
        "lag": [{"from_ns": from_ns, "count": count} for from_ns, count in one.lag],
        "ready_mean": one.ready_mean,
        "ready_most": one.ready_most,
        "blocked": [_blocked(step) for step in one.blocked],
    }


def _blocked(one: BlockedStep) -> Object:
    return {
        "start_ns": one.start_ns,
        "ns": one.ns,
        "off_core_ns": one.off_core_ns,
        "task": one.task,
        "coroutine": one.coroutine,
        "where": one.where,
        "call": one.call,
        "state": one.state.name if one.state is not None else None,
        "late": one.late,
        "late_ns": one.late_ns,
    }


def _task(one: TaskReport) -> Object:
    return {
        "name": one.name,
        "coroutine": one.coroutine,
        "created_at": one.created_at,
        "parent": one.parent,
        "awaited_by": one.waiter,
        "outcome": one.outcome.value,
        "start_ns": one.start_ns,
        "end_ns": one.end_ns,
        "states": {state.name: ns for state, ns in one.states.items()},
        "awaits": {kind.value: ns for kind, ns in one.awaits.items()},
        "steps": one.steps,
        "longest_step_ns": one.longest_step_ns,
        "longest_ready_ns": one.longest_ready_ns,
        "waits_at": one.waits_at,
        "waits_for": one.on,
        "cancelled_by": one.cancelled_by,
        "cancelled_at": one.cancelled_at,
    }


def _kind(one: TaskKind) -> Object:
    return {
        "coroutine": one.coroutine,
        "created_at": one.created_at,
        "count": one.count,
        "states": {state.name: ns for state, ns in one.states.items()},
        "awaits": {kind.value: ns for kind, ns in one.awaits.items()},
        "outcomes": {outcome.value: count for outcome, count in one.outcomes.items()},
        "steps": one.steps,
        "longest_step_ns": one.longest_step_ns,
    }


def _node(one: AwaitNode) -> Object:
    return {
        "coroutine": one.coroutine,
        "count": one.count,
        "states": {state.name: ns for state, ns in one.states.items()},
        "waits_at": one.waits_at,
        "children": [_node(child) for child in one.children],
    }


def _place(one: AwaitPlace) -> Object:
    return {
        "where": one.where,
        "how": one.how,
        "kind": one.kind.value,
        "count": one.count,
        "ns": one.ns,
        "longest_ns": one.longest_ns,
        "ready_ns": one.ready_ns,
        "peers": list(one.peers),
    }


def _fault(one: TaskFault) -> Object:
    return {"kind": one.kind.value, "text": one.text, "where": one.where, "count": one.count}
