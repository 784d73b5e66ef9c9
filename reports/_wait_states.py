"""Wait states, GIL, locks and cores as JSON objects: the parts that come from the trace."""

from dataclasses import asdict
from typing import Any

from concurtrace.model.masking import mask_arguments, mask_text
from concurtrace.model.process_report import ProcessCost
from concurtrace.model.report import (
    CoreReport,
    LockPlace,
    LockReport,
    ProcessReport,
    StatesReport,
    ThreadReport,
)
from concurtrace.model.states import State

Object = dict[str, Any]


def recording(states: StatesReport) -> Object:
    """How the states were had, and what is not told singly."""
    return {
        "pass": states.pass_name,
        "wall_ns": states.wall_ns,
        "estimated": states.origin.name == "ESTIMATED",
        "origin": states.origin.value,
        "cores_from": states.cores_from.value,
        "unknown_share": states.unknown_share,
        "folded_spans": states.folded_spans,
        "folded_ns": states.folded_ns,
        "min_span_ns": list(states.min_span_ns),
        "peak_threads": states.peak_threads,
        "peak_processes": states.peak_processes,
    }


def process(one: ProcessReport, cost: ProcessCost, pass_name: str) -> Object:
    """A process with its threads, their states and what they had of the GIL."""
    phases = cost.phases
    return {
        "pid": one.pid,
        "parent_pid": one.parent_pid,
        "name": mask_text(one.name),
        "started_by": one.started_by,
        "pass": pass_name,
        "start_ns": one.start_ns,
        "first_ns": phases.first_ns,
        "python_ns": phases.python_ns,
        "work_ns": phases.work_ns,
        "end_ns": one.end_ns,
        "ended_by": one.ended_by,
        "exit_code": one.exit_code,
        "command": mask_arguments(one.command),
        "cpu_ns": one.cpu_ns,
        # Memory is sampled in a pass of its own, whose processes are others.
        "peak_rss_bytes": None,
        "messages": None if cost.messages is None else asdict(cost.messages),
        "threads": [_thread(thread) for thread in one.threads],
    }


def _thread(one: ThreadReport) -> Object:
    shown = {state: one.states.get(state, 0) for state in (State.UNKNOWN,)} | dict(one.states)
    return {
        "tid": one.tid,
        "name": one.name,
        "start_ns": one.start_ns,
        "end_ns": one.end_ns,
        "cpu_ns": one.cpu_ns,
        "idle_ns": one.idle_ns,
        "states": {state.name: shown[state] for state in State if state in shown},
        "gil": {
            "held_ns": one.gil.held_ns,
            "holds": one.gil.holds,
            "wait_ns": one.gil.wait_ns,
            "waits": one.gil.waits,
            "longest_wait_ns": one.gil.longest_wait_ns,
            "forced": one.gil.forced,
            "waited_for": [
                {"tid": pair.tid, "ns": pair.ns, "count": pair.count} for pair in one.gil.waited_for
            ],
        },
    }


def gil(states: StatesReport) -> Object | None:
    """What the GIL cost the run; None where there was none."""
    if states.gil is None:
        return None
    return {
        "contention": states.gil.contention,
        "held": states.gil.held,
        "blame": _places(states.gil.blame),
    }


def lock(one: LockReport) -> Object:
    """A lock with the places that held it and waited for it."""
    return {
        "name": one.name,
        "kind": one.kind,
        "created_at": one.created_at,
        "locks": one.locks,
        "acquisitions": one.acquisitions,
        "contended": one.contended,
        "wait_ns": one.wait_ns,
        "hold_ns": one.hold_ns,
        "held_by": _places(one.held_by),
        "waited_at": _places(one.waited_at),
    }


def _places(places: tuple[LockPlace, ...]) -> list[Object]:
    return [{"where": one.where, "ns": one.ns} for one in places]


def core_users(one: CoreReport | None) -> list[Object]:
    """Who ran on a core, longest first; nobody where there is no report of it."""
    if one is None:
        return []
    return [
        {"pid": user.pid, "tid": user.tid, "name": user.name, "ns": user.ns} for user in one.ran
    ]
