"""Parallelism: how many threads were at work at once, and what kept the others."""

from dataclasses import dataclass

import numpy as np

from concurtrace.model.report import Report, StatesReport
from concurtrace.model.states import State
from concurtrace.model.trace import Trace
from concurtrace.units import share_text, significant, time_text

from ..._states import words_of
from ..._words import absence
from ..chart import WIDTH, Path, Span, area
from ..levels import density, levels
from ..patterns import Pattern, patterns
from ..section import Section
from .states import Bar, bars

_WORKING = (State.RUNNING, State.RUNNING_NOGIL)
_WANTING = (*_WORKING, State.GIL_WAIT, State.LOCK_WAIT, State.RUNNABLE)
_HEIGHT = 40
_COLUMNS = 300
_LEVELS = 16
"""The last bar of the histogram stands for so many threads and more."""
_OWN = 6
"""How many threads of this run stand beside the gallery."""


@dataclass(frozen=True)
class Level:
    """For how long so many threads were at work, and would have been without waits.

    ``band`` says what that means for the cores.
    """

    name: str
    band: str
    at_work: str
    work_bar: int
    wanted: str
    want_bar: int


@dataclass(frozen=True)
class Strip:
    """How many threads were kept by something over time."""

    label: str
    path: Path
    highest: str


@dataclass(frozen=True)
class Shown:
    """A pattern, and the address of this run's finding of the kind; "" where there is none."""

    pattern: Pattern
    rule: str


@dataclass(frozen=True)
class View:
    """The histogram, the strips on one axis, and the gallery beside this run's own threads."""

    levels: tuple[Level, ...]
    strips: tuple[Strip, ...]
    ticks: tuple[str, ...]
    highest: str
    gallery: tuple[Shown, ...]
    own: tuple[Bar, ...]


def build(report: Report) -> Section:
    """Show how parallel the run was."""
    trace, states = report.recording.trace, report.states
    title = "How parallel it was"
    if trace is None or states is None or not len(trace.spans):
        missing = absence(report, "How many threads ran at once was", "states")
        return Section("parallelism", title, absence=missing)
    at_work, wanted = (_levels(trace, these) for these in (_WORKING, _WANTING))
    strips, highest = _strips(report, trace)
    view = View(
        _rows(at_work, wanted, report.environment.machine.usable_cores),
        strips,
        Span(trace.start_ns, trace.end_ns).ticks(),
        highest,
        _gallery(report),
        bars(report)[:_OWN],
    )
    return Section("parallelism", title, _answer(report, at_work, wanted, states), view)


def _levels(trace: Trace, states: tuple[State, ...]) -> list[int]:
    spans, chosen = trace.spans, trace.spans.in_state(*states)
    edges = (trace.start_ns, trace.end_ns)
    found: list[int] = levels(spans.start_ns[chosen], spans.end_ns[chosen], *edges).tolist()
    return [*found[:_LEVELS], sum(found[_LEVELS:])] if len(found) > _LEVELS else found


def _mean(found: list[int]) -> float:
    return sum(level * ns for level, ns in enumerate(found)) / max(1, sum(found))


def _answer(report: Report, at_work: list[int], wanted: list[int], states: StatesReport) -> str:
    cores = report.environment.machine.usable_cores
    alone = sum(at_work[:2]) / max(1, sum(at_work))
    noun = "core" if cores == 1 else "cores"
    said = (
        f"On average {significant(_mean(at_work))} threads were at work, on {cores} usable {noun};"
        f" {significant(_mean(wanted))} had work to do."
    )
    if states.peak_threads > 1:
        said += f" For {share_text(alone)} of the time at most one was at work."
    return said


def _band(number: int, cores: int) -> str:
    """Say what so many threads at work mean for the cores."""
    if not number:
        return "nobody at work"
    if number < cores:
        return "cores free"
    return "every core used" if number == cores else "more than cores"


def _rows(at_work: list[int], wanted: list[int], cores: int) -> tuple[Level, ...]:
    many = max(len(at_work), len(wanted))
    work, want = ([*one, *[0] * (many - len(one))] for one in (at_work, wanted))
    whole = max(1, *work, *want)
    return tuple(
        Level(
            f"{number} and more" if number == _LEVELS else str(number),
            _band(number, cores),
            time_text(work[number]) if work[number] else "0",
            round(100 * work[number] / whole),
            time_text(want[number]) if want[number] else "0",
            round(100 * want[number] / whole),
        )
        for number in range(many)
    )


def _strips(report: Report, trace: Trace) -> tuple[tuple[Strip, ...], str]:
    """Draw what kept threads from work over time, all on one scale."""
    gil = report.environment.gil
    curves = []
    for state in (State.RUNNING, State.GIL_WAIT, State.LOCK_WAIT, State.RUNNABLE):
        these = _WORKING if state is State.RUNNING else (state,)
        chosen = trace.spans.in_state(*these)
        if chosen.any():
            name = "at work" if state is State.RUNNING else words_of(state, gil=gil).name
            starts, ends = trace.spans.start_ns[chosen], trace.spans.end_ns[chosen]
            args = (starts, ends, trace.start_ns, trace.end_ns, _COLUMNS)
            curves.append((name, np.maximum(0, density(*args))))
    highest = max((float(curve.max()) for _, curve in curves), default=0.0)
    step = WIDTH / _COLUMNS
    strips = tuple(
        Strip(
            name,
            area(
                [(round((number + 0.5) * step), float(one)) for number, one in enumerate(curve)],
                highest,
                _HEIGHT,
            ),
            significant(float(curve.max())),
        )
        for name, curve in curves
    )
    return strips, significant(highest)


def _gallery(report: Report) -> tuple[Shown, ...]:
    """Put the patterns of this run's findings first."""
    found = [one.rule for one in report.findings if one.severity.value in ("warning", "info")]
    shown = [
        Shown(one, next((rule for rule in found if rule in one.rules), ""))
        for one in patterns(gil=report.environment.gil)
    ]
    return tuple(sorted(shown, key=lambda one: not one.rule))
