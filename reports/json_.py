"""Everything about a run as JSON, format 1: for scripts and CI; described by ``schema.json``."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from concurtrace.model.masking import mask_arguments, mask_text
from concurtrace.model.recording import ProcessKey, Recording
from concurtrace.model.report import FORMAT_NAME, FORMAT_VERSION, Finding, Outcome, Report
from concurtrace.model.run import Environment, Execution, Pass, Target

from . import _tasks_json, _wait_states
from ._series import interval_lengths, mean_over_time, peak_memory
from ._text import printable
from ._words import measured_pass

SCHEMA = Path(__file__).with_name("schema.json")
"""The JSON schema (draft 2020-12) of the format."""

Object = dict[str, Any]


class Json:
    """JSON; what was not recorded is null, never zero. Times in ns, sizes in bytes."""

    name = "json"
    suffix = ".json"

    def render(self, report: Report) -> str:
        """Write the report as one JSON object."""
        return json.dumps(printable_values(document(report)), indent=1, ensure_ascii=False)


def document(report: Report) -> Object:
    """Lay a report out as the format says."""
    recording, chosen = report.recording, measured_pass(report)
    peak = peak_memory(recording.memory, "RSS") if recording.memory else None
    return {
        "format": {"name": FORMAT_NAME, "version": FORMAT_VERSION},
        "run": report.run,
        "started_at": report.started_at,
        "target": _target(report.target),
        "environment": _environment(report.environment),
        "result": _result(report.outcome),
        "passes": [_pass(one) for one in report.passes],
        "wall_ns": chosen.wall_ns if chosen else None,
        "cpu_ns": chosen.cpu_ns if chosen else None,
        "peak_rss_bytes": peak.bytes if peak else None,
        "processes": _processes(report),
        "cores": _cores(report),
        "states": _wait_states.recording(report.states) if report.states else None,
        "gil": _wait_states.gil(report.states) if report.states else None,
        "locks": [_wait_states.lock(one) for one in report.states.locks] if report.states else None,
        "tasks": _tasks_json.whole(report.tasks) if report.tasks else None,
        "critical_path": _critical_path(report),
        "verdict": report.verdict,
        "findings": [_finding(one) for one in report.findings],
        "predictions": [asdict(one) for one in report.predictions],
        "hot": _hot(report),
        "tables": [asdict(one) for one in recording.tables],
        "artifacts": [asdict(one) for one in report.artifacts],
    }


def printable_values(value: Any) -> Any:
    """Write what is no valid text (bytes of a file name, say) as escapes that any reader takes."""
    match value:
        case str():
            return printable(value)
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {printable(str(key)): printable_values(one) for key, one in value.items()}
        case list() | tuple():
            return [printable_values(one) for one in value]
        case _:
            return value


def _target(target: Target) -> Object:
    return {
        "kind": target.kind.value,
        "name": target.name,
        "mode": target.mode,
        "argv": mask_arguments(target.argv),
        "size": target.parameters.get("size"),
        "workers": target.parameters.get("workers"),
        "parameters": dict(target.parameters),
    }


def _result(outcome: Outcome) -> Object:
    error = None if outcome.error is None else mask_text(outcome.error)
    return {**asdict(outcome), "error": error}


def _environment(environment: Environment) -> Object:
    machine = environment.machine
    return {
        "python": environment.python,
        "implementation": environment.implementation,
        "gil": environment.gil,
        "free_threaded": environment.free_threaded,
        "start_method": environment.start_method,
        "switch_interval_ns": environment.switch_interval_ns,
        "cores": machine.cores,
        "usable_cores": machine.usable_cores,
        "quota_cores": machine.quota_cores,
        "physical_cores": machine.physical_cores,
        "threads_per_core": machine.threads_per_core,
        "numa_nodes": machine.numa_nodes,
        "memory_architecture": machine.memory_architecture,
        "caches": [asdict(one) for one in machine.caches],
        "memory_bytes": machine.memory_bytes,
        "processor": machine.model,
        "kernel": machine.kernel,
        "packages": dict(environment.packages),
        "concurtrace": environment.concurtrace,
    }


def _pass(one: Pass) -> Object:
    ended = any(run.ended_by_itself for run in one.executions)
    return {
        "name": one.name,
        "instruments": one.instruments,
        "wall_ns": one.wall_ns if ended else None,
        "cpu_ns": one.cpu_ns if ended else None,
        "overhead": one.overhead,
        "status": one.status.value,
        "reason": None if one.reason is None else mask_text(one.reason),
        "verified": one.verified,
        "competing_load": one.competing_load,
        "executions": [_execution(run) for run in one.executions],
    }


def _execution(run: Execution) -> Object:
    return {
        "wall_ns": run.wall_ns,
        "cpu_ns": run.cpu_ns,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "timed_out": run.timed_out,
        "standstill": run.standstill,
        "checksum": run.checksum,
        "observed": dict(run.observed),
        "error": run.error,
        "leftovers": run.leftovers,
    }


_Keys = Callable[[Recording], Sequence[ProcessKey]]

# Every pass is an execution with processes of its own. The first part here that was recorded
# says which pass's processes are listed; memory first, for it sees those that are no Python too.
_SOURCES: tuple[tuple[str, _Keys], ...] = (
    ("memory", lambda has: [one.process for one in has.memory.series] if has.memory else []),
    ("cores", lambda has: [one.process for one in has.cores.processes] if has.cores else []),
    ("timeline", lambda has: [one.process for one in has.timeline.trees] if has.timeline else []),
    ("functions", lambda has: [t.process for t in has.functions.tables] if has.functions else []),
    ("lines", lambda has: [one.process for one in has.lines.tables] if has.lines else []),
)


def _processes(report: Report) -> list[Object] | None:
    if report.states is not None and report.states.processes:
        states = report.states
        return [
            {
                **_wait_states.process(one, cost, states.pass_name),
                **(_tasks_json.of_process(report.tasks, one.pid) if report.tasks else {}),
            }
            for one, cost in zip(states.processes, states.costs.costs, strict=True)
        ]
    for instrument, keys in _SOURCES:
        found = sorted(set(keys(report.recording)), key=lambda key: (key.start_ns, key.pid))
        if found:
            seen_by = next((one for one in report.passes if instrument in one.instruments), None)
            zero_ns = found[0].start_ns
            if seen_by is not None and seen_by.executions:
                zero_ns = min(zero_ns, seen_by.executions[0].start_ns)
            name = seen_by.name if seen_by else None
            return [_process(report.recording, key, zero_ns, name) for key in found]
    return None


def _process(recording: Recording, key: ProcessKey, zero_ns: int, pass_name: str | None) -> Object:
    series = recording.memory.series if recording.memory else ()
    peaks = [max(one.rss_bytes) for one in series if one.process == key and one.rss_bytes]
    return {
        "pid": key.pid,
        "parent_pid": key.parent_pid,
        "name": mask_text(key.name),
        "started_by": key.started_by,
        "pass": pass_name,
        "start_ns": key.start_ns - zero_ns,
        "end_ns": None if key.end_ns is None else key.end_ns - zero_ns,
        "ended_by": "unknown" if key.end_ns is None else "exit",
        "cpu_ns": None,
        "peak_rss_bytes": max(peaks, default=None),
        "threads": _threads(recording, key),
    }


def _threads(recording: Recording, key: ProcessKey) -> list[Object] | None:
    """List the threads of a process that function tables or call trees name."""
    named: dict[int, str] = {}
    for table in recording.functions.tables if recording.functions else ():
        if table.process == key:
            named[table.tid] = table.thread
    for tree in recording.timeline.trees if recording.timeline else ():
        if tree.process == key:
            named[tree.tid] = tree.thread
    return [{"tid": tid, "name": name} for tid, name in named.items()] or None


def _cores(report: Report) -> list[Object] | None:
    """List cores: how busy as the sampler saw them, what the target had as the kernel told."""
    sampled = report.recording.cores
    used = report.states.cores if report.states else None
    if sampled is None and used is None:
        return None
    lengths = interval_lengths(sampled) if sampled else ()
    busy = [mean_over_time(one, lengths) for one in sampled.busy] if sampled else []
    by_core = {one.core: one for one in used or ()}
    return [
        {
            "core": number,
            "busy": busy[number] if number < len(busy) else None,
            "target": by_core[number].target if number in by_core else 0.0 if used else None,
            **({"ran": _wait_states.core_users(by_core.get(number))} if used else {}),
        }
        for number in sorted({*range(len(busy)), *by_core})
    ]


def _critical_path(report: Report) -> list[Object] | None:
    if report.critical_path is None:
        return None
    return [
        {"state": one.state.name, "tid": one.tid, "where": one.where, "ns": one.ns}
        for one in report.critical_path
    ]


def _finding(one: Finding) -> Object:
    return {
        "rule": one.rule,
        "severity": one.severity.value,
        "summary": one.summary,
        "explanation": one.explanation,
        "remedy": one.remedy,
        "where": one.where,
        "window_ns": one.window_ns,
        "evidence": dict(one.evidence) if one.evidence is not None else None,
        "prediction": asdict(one.prediction) if one.prediction is not None else None,
        "gain_ns": one.gain_ns,
        "also": one.also,
        "part_of": one.part_of,
    }


def _hot(report: Report) -> Object:
    recording, hot = report.recording, report.hot
    functions = [
        {
            "file": one.function.file,
            "line": one.function.line,
            "name": one.function.name,
            "calls": one.calls,
            "own_ns": one.own_ns,
            "total_ns": one.total_ns,
            "processes": one.processes,
            "threads": one.threads,
        }
        for one in hot.functions
    ]
    return {
        "functions": functions if recording.functions else None,
        "lines": [asdict(one) for one in hot.lines] if recording.lines else None,
        "memory_lines": [asdict(one) for one in hot.memory_lines]
        if recording.memory_lines
        else None,
    }


RENDERER = Json()
