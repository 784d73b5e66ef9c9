"""What changed from one run to another: times with their noise, waits, functions, findings."""

from __future__ import annotations

from collections.abc import Mapping

from concurtrace.analysis.speed import unpaired_speed
from concurtrace.model.comparison import Speed
from concurtrace.model.difference import Change, Difference, Unit
from concurtrace.model.report import Finding, Report, Severity
from concurtrace.model.run import Pass
from concurtrace.model.states import State
from concurtrace.units import share_text, significant, time_text

KEPT = 10
"""Functions and locks told: those that changed most."""
LEAST_SHARE = 0.01
"""A change of less, of all that was counted, is not told."""
_TOLD = (Severity.WARNING, Severity.INFO)


def difference(before: Report, after: Report) -> Difference:
    """Lay two runs beside each other."""
    speedup = _speedup(before, after)
    old, new = _by_rule(before), _by_rule(after)
    return Difference(
        before=before.run,
        after=after.run,
        conditions=_conditions(before, after),
        speedup=speedup,
        figures=_figures(before, after),
        states=_changes(_states(before), _states(after), Unit.NS),
        functions=_changes(_functions(before), _functions(after), Unit.NS),
        locks=_changes(_locks(before), _locks(after), Unit.NS),
        new=tuple(one for rule, one in new.items() if rule not in old),
        gone=tuple(one for rule, one in old.items() if rule not in new),
        kept=tuple(rule for rule in new if rule in old),
        verdict=_verdict(speedup, before, after),
    )


def regressions(found: Difference, slower: float | None, *, warnings: bool) -> tuple[str, ...]:
    """List what got worse: slower by more than a share and beyond the noise; new warnings."""
    said = []
    speed = found.speedup
    if slower is not None and speed is not None:
        sure = speed.high is None or speed.high < 1
        if sure and speed.factor < 1 / (1 + slower):
            said.append(f"it takes {significant(1 / speed.factor)} times as long")
    if warnings:
        said += [
            f"new warning {one.rule}: {one.summary}"
            for one in found.new
            if one.severity is Severity.WARNING
        ]
    return tuple(said)


def _speedup(before: Report, after: Report) -> Speed | None:
    old, new = _walls(before), _walls(after)
    return unpaired_speed(new, old) if old and new else None


def _quiet(report: Report) -> Pass | None:
    """The pass whose times are compared: the one without instruments, else the light one."""
    found = (report.find_pass(name) for name in ("baseline", "light"))
    return next((one for one in found if one is not None and one.wall_ns), None)


def _walls(report: Report) -> list[int]:
    quiet = _quiet(report)
    return [run.wall_ns for run in quiet.executions if run.ended_by_itself] if quiet else []


def _verdict(speed: Speed | None, before: Report, after: Report) -> str:
    if speed is None:
        return "Nothing can be said of the time: one of the runs did not come to its end."
    old, new = (quiet.wall_ns if (quiet := _quiet(one)) else 0 for one in (before, after))
    times = f"{time_text(new)} instead of {time_text(old)}"
    if speed.low is None or speed.high is None:
        return (
            f"{after.run} took {times}; with one execution on a side, nothing says what of it is"
            " noise."
        )
    interval = f"{significant(speed.low)} to {significant(speed.high)}"
    if speed.may_be_one:
        return f"No difference beyond the noise: {times} ({interval} times as fast)."
    word = "faster" if speed.factor > 1 else "slower"
    by = share_text(abs(speed.factor - 1) if speed.factor > 1 else 1 / speed.factor - 1)
    return f"{after.run} is {by} {word}: {times} ({interval} times as fast)."


def _conditions(before: Report, after: Report) -> tuple[str, ...]:
    pairs: list[tuple[str, object, object]] = [
        ("target", before.target.name, after.target.name),
        ("mode", before.target.mode, after.target.mode),
        ("arguments", before.target.argv[1:], after.target.argv[1:]),
        ("Python", before.environment.python, after.environment.python),
        ("GIL", before.environment.gil, after.environment.gil),
        ("start method", before.environment.start_method, after.environment.start_method),
        ("processor", before.environment.machine.model, after.environment.machine.model),
        (
            "usable cores",
            before.environment.machine.usable_cores,
            after.environment.machine.usable_cores,
        ),
        ("concurtrace", before.environment.concurtrace, after.environment.concurtrace),
    ]
    for word, old, new in (
        ("parameter", before.target.parameters, after.target.parameters),
        ("package", before.environment.packages, after.environment.packages),
    ):
        names = dict.fromkeys((*old, *new))
        pairs += [(f"{word} {name}", old.get(name), new.get(name)) for name in names]
    return tuple(f"{name}: {_word(a)} became {_word(b)}" for name, a, b in pairs if a != b)


def _word(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case tuple():
            return " ".join(map(str, value)) or "nothing"
        case _:
            return str(value)


def _figures(before: Report, after: Report) -> tuple[Change, ...]:
    old, new = _figures_of(before), _figures_of(after)
    return tuple(
        Change(name, old[name], new[name], unit)
        for name, unit in _FIGURES.items()
        if old[name] is not None or new[name] is not None
    )


_FIGURES = {
    "wall time": Unit.NS,
    "CPU time": Unit.NS,
    "threads at once": Unit.COUNT,
    "processes at once": Unit.COUNT,
}


def _figures_of(report: Report) -> dict[str, int | None]:
    quiet = _quiet(report)
    states = report.states
    return {
        "wall time": quiet.wall_ns if quiet else None,
        "CPU time": quiet.cpu_ns if quiet else None,
        "threads at once": states.peak_threads if states else None,
        "processes at once": states.peak_processes if states else None,
    }


def _states(report: Report) -> dict[str, int]:
    sums: dict[State, int] = {}
    for process in report.states.processes if report.states else ():
        for state, ns in process.states.items():
            sums[state] = sums.get(state, 0) + ns
    return {state.name: ns for state, ns in sums.items()}


def _functions(report: Report) -> dict[str, int]:
    """Own times by name and file: lines move from version to version."""
    sums: dict[str, int] = {}
    for one in report.hot.functions:
        name = f"{one.function.name} ({one.function.file.rpartition('/')[2]})"
        sums[name] = sums.get(name, 0) + one.own_ns
    return sums


def _locks(report: Report) -> dict[str, int]:
    sums: dict[str, int] = {}
    for one in report.states.locks if report.states else ():
        sums[one.name] = sums.get(one.name, 0) + one.wait_ns
    return sums


def _changes(old: Mapping[str, int], new: Mapping[str, int], unit: Unit) -> tuple[Change, ...]:
    """List what changed by more than chance, most first; nothing where one run lacks all of it."""
    if not old or not new:
        return ()
    least = LEAST_SHARE * max(sum(old.values()), sum(new.values()))
    found = [
        Change(name, old.get(name), new.get(name), unit) for name in dict.fromkeys((*old, *new))
    ]
    changed = [one for one in found if abs(one.more) > least]
    return tuple(sorted(changed, key=lambda one: (-abs(one.more), one.name))[:KEPT])


def _by_rule(report: Report) -> dict[str, Finding]:
    return {
        one.rule: one
        for one in reversed(report.findings)
        if one.severity in _TOLD and one.part_of is None
    }
