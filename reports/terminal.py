"""The summary on the terminal: plain text, at most 100 columns, the outcome first."""

import textwrap
from collections.abc import Sequence

from concurtrace.model.report import Report
from concurtrace.model.run import Pass
from concurtrace.units import count_text, share_text, significant

from . import _state_lines, _tasks
from ._diagnosis_lines import diagnosis
from ._facts import facts, function_time_ns
from ._places import Places, name_of
from ._scale import Scale
from ._text import printable, shorten, shorten_path, told
from ._words import Tone, Verdict, notes, verdict

COLUMNS = 100
_SHOWN = 5
_NOTES_SHOWN = 8
_NAME = 36
_PLACE = 36

_MARKS = {Tone.RIGHT: "OK", Tone.ATTENTION: "NOTE", Tone.WRONG: "WRONG"}


class Terminal:
    """Plain text without colour, so that it reads the same in a terminal, a log and a mail."""

    name = "terminal"
    suffix = ".txt"

    def render(self, report: Report) -> str:
        """Sum a run up: outcome, figures, passes, hot spots, and what is missing."""
        blocks = (
            _outcome(verdict(report)),
            diagnosis(report),
            _figures(report),
            _passes(report.passes),
            _state_lines.thread_table(report),
            _state_lines.lock_table(report),
            _tasks.task_table(report),
            _functions(report),
            _lines(report),
            _memory_lines(report),
            _notes(report),
        )
        # Whatever the target named, no line may hold what a terminal obeys.
        return "\n\n".join("\n".join(map(printable, block)) for block in blocks if block)


def _outcome(said: Verdict) -> list[str]:
    return _wrapped(said.text, f"{_MARKS[said.tone]}: ")


def _figures(report: Report) -> list[str]:
    machine, python = report.environment.machine, report.environment
    gil = "with the GIL" if python.gil else "without the GIL"
    on = (
        f"Python {python.python} {gil}, {machine.usable_cores} of {machine.cores} cores,"
        f" {machine.model}, {machine.memory_architecture}"
    )
    rows = [
        (one.name, f"{shorten(printable(one.value), _NAME)} ({one.meaning})")
        for one in facts(report)
    ]
    waits = (
        ("GIL", _state_lines.gil_line(report)),
        ("locks", _state_lines.lock_line(report)),
        ("event loops", _tasks.loop_line(report)),
    )
    told = [(name, text) for name, text in waits if text is not None]
    rows = [("ran on", on), *rows, *told, ("result", _result(report))]
    return [line for name, text in rows for line in _wrapped(text, f"{name:<18}", indent=" " * 18)]


def _result(report: Report) -> str:
    outcome = report.outcome
    checked = sum(one.verified is not None for one in report.passes)
    if outcome.verified is None:
        return "not checked: nothing says what it should be"
    if outcome.verified:
        return f"right in every pass ({checked} checked)"
    wrong = ", ".join(one.name for one in report.passes if one.verified is False)
    return f"WRONG in: {wrong}"


def _passes(passes: Sequence[Pass]) -> list[str]:
    scale = Scale.for_times([time for one in passes for time in (one.wall_ns, one.cpu_ns)])
    head = (
        f"{'pass':<14}{f'wall {scale.unit}':>12}{f'CPU {scale.unit}':>12}{'x baseline':>12}  status"
    )
    lines = [head]
    for one in passes:
        lines.extend(_pass(one, scale))
    return lines


def _pass(one: Pass, scale: Scale) -> list[str]:
    ended = [run for run in one.executions if run.ended_by_itself]
    wall = scale.text(one.wall_ns) if ended else "-"
    cpu = scale.text(one.cpu_ns) if ended else "-"
    if one.name == "baseline" and ended:
        cost = "1"
    else:
        cost = significant(one.overhead) if one.overhead is not None else "-"
    start = f"{shorten(printable(one.name), 13):<14}{wall:>12}{cpu:>12}{cost:>12}  "
    status = f"{one.status}, {len(ended)} runs" if len(ended) > 1 else str(one.status)
    if one.verified is False:
        status += ", WRONG RESULT"
    if one.reason:
        status += f": {told(one.reason)}"
    return _wrapped(status, start, indent=" " * len(start))


def _functions(report: Report) -> list[str]:
    shown = report.hot.functions[:_SHOWN]
    whole = function_time_ns(report)
    if not shown or not whole:
        return []
    places = Places.of(report)
    scale = Scale.for_times(one.own_ns for one in shown)
    rows = [
        f"{scale.text(one.own_ns):>10} {share_text(one.own_ns / whole):>7}"
        f" {count_text(one.calls):>12}  "
        + _name_and_place(name_of(one.function), places.function(one.function))
        for one in shown
    ]
    title = f"Hottest functions, by own time over all threads ({scale.unit}, share, calls)"
    return [title, *rows]


def _lines(report: Report) -> list[str]:
    shown = [one for one in report.hot.lines[:_SHOWN] if one.time_ns]
    places = Places.of(report)
    scale = Scale.for_times(one.time_ns for one in shown)
    rows = [
        f"{scale.text(one.time_ns):>10} {count_text(one.hits):>20}  "
        + _name_and_place(one.source or one.function, places.line(one.file, one.line))
        for one in shown
    ]
    return [f"Hottest lines, waiting included ({scale.unit}, hits)", *rows] if rows else []


def _memory_lines(report: Report) -> list[str]:
    shown = [one for one in report.hot.memory_lines[:_SHOWN] if one.increment_bytes > 0]
    places = Places.of(report)
    scale = Scale.for_sizes(one.increment_bytes for one in shown)
    rows = [
        f"{'+' + scale.text(one.increment_bytes):>10} {'':>20}  "
        + _name_and_place(one.source or one.function, places.line(one.file, one.line))
        for one in shown
    ]
    return [f"Lines that added most memory ({scale.unit})", *rows] if rows else []


def _name_and_place(name: str, place: str) -> str:
    return f"{shorten(printable(name.strip()), _NAME):<{_NAME}} {shorten_path(place, _PLACE - 7)}"


def _notes(report: Report) -> list[str]:
    found = notes(report)
    if not found:
        return []
    lines = ["About these numbers"]
    for note in found[:_NOTES_SHOWN]:
        lines.extend(_wrapped(note.sentence, "  - ", indent="    "))
    if len(found) > _NOTES_SHOWN:
        lines.append(f"  - and {len(found) - _NOTES_SHOWN} more: see the HTML report")
    return lines


def _wrapped(text: str, start: str, indent: str = "") -> list[str]:
    wrapped = textwrap.wrap(
        printable(text), COLUMNS, initial_indent=start, subsequent_indent=indent
    )
    return wrapped or [start.rstrip()]


RENDERER = Terminal()
