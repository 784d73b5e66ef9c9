"""Overview: how the run went, the figures that sum it up, and what ran on what."""

from dataclasses import dataclass

from concurtrace.model.report import HotFunction, HotLine, Report
from concurtrace.units import count_text, share_text, size_text, time_text

from ..._facts import Fact, facts, function_time_ns
from ..._places import Origin, Places, name_of
from ..._text import shorten, without_home
from ..._words import NoteKind, Tone, Verdict, notes, verdict
from ..section import Section
from . import source
from .states import Bar, whole_bar

_NAME_LIMIT = 80
_LISTED = 3
_MATTERS = 0.05
"""From which share of all time on the target's own code is what to look at first."""
_NAMED = ("size", "workers")


@dataclass(frozen=True)
class Pointer:
    """Something worth a look: a sentence, and the address within the page of what shows it."""

    text: str
    address: str


@dataclass(frozen=True)
class View:
    """What holds the run back, what all threads did with their time, and rows of two texts."""

    verdict: Verdict
    sign: str
    diagnosis: str
    whole: Bar | None
    tiles: tuple[Fact, ...]
    warnings: tuple[str, ...]
    pointers: tuple[Pointer, ...]
    ran: tuple[tuple[str, str], ...]
    machine: tuple[tuple[str, str], ...]


_SIGNS = {Tone.RIGHT: "✔", Tone.ATTENTION: "▲", Tone.WRONG: "✖"}


def build(report: Report) -> Section:
    """Sum the run up."""
    said = verdict(report)
    view = View(
        said,
        _SIGNS[said.tone],
        Places.of(report).sentence(report.verdict),
        whole_bar(report),
        _tiles(report),
        _warnings(report),
        tuple(_pointers(report)),
        _ran(report),
        _machine(report),
    )
    return Section("overview", "Overview", view=view)


def _warnings(report: Report) -> tuple[str, ...]:
    """Say what makes the numbers doubtful or incomplete, before anybody relies on them."""
    found = [note for note in notes(report) if note.kind is not NoteKind.READING]
    shown = [f"{_capital(note.sentence)}." for note in found[:_LISTED]]
    if len(found) > _LISTED:
        shown.append(f"And {len(found) - _LISTED} more things are missing or doubtful.")
    return tuple(shown)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _tiles(report: Report) -> tuple[Fact, ...]:
    return tuple(
        Fact(one.name, shorten(one.value, _NAME_LIMIT), one.meaning, one.section)
        for one in facts(report)
    )


def _pointers(report: Report) -> list[Pointer]:
    """Point at the most expensive function, line and memory line."""
    places = Places.of(report)
    found = [_function(report, places)] if function_time_ns(report) else []
    shown = source.anchors(source.build(report))
    line = _line(report, places)
    if line is not None and line.time_ns:
        where = places.line(line.file, line.line)
        text = (
            f"The line that took most in {_name(line.function)} is {where}:"
            f" {time_text(line.time_ns)} in {count_text(line.hits)} hits."
        )
        found.append(Pointer(text, _line_address(line.file, line.line, shown)))
    grown = next(iter(report.hot.memory_lines), None)
    if grown is not None and grown.increment_bytes > 0:
        where = places.line(grown.file, grown.line)
        added = size_text(grown.increment_bytes)
        text = f"The line that added most memory is {where}: {added}, calls included."
        found.append(Pointer(text, _line_address(grown.file, grown.line, shown)))
    return found


def _line_address(file: str, line: int, shown: frozenset[str]) -> str:
    anchor = source.line_anchor(file, line)
    return anchor if anchor in shown else "source"


def _own(report: Report, places: Places) -> HotFunction | None:
    """The hottest function of the target's own code."""
    hot = report.hot.functions
    return next((one for one in hot if places.origin(one.function) is Origin.OWN), None)


def _line(report: Report, places: Places) -> HotLine | None:
    """The hottest line of the hottest own function, or of all: a line includes what it calls."""
    own = _own(report, places)
    inside = [
        one
        for one in report.hot.lines
        if own and (one.file, one.function) == (own.function.file, own.function.name)
    ]
    return next(iter(inside or report.hot.lines), None)


def _function(report: Report, places: Places) -> Pointer:
    """Point at the hottest function of the target's own code, if it matters, else at any."""
    hot, whole = report.hot.functions, function_time_ns(report)
    own = _own(report, places) or hot[0]
    chosen, which = own, "Of the target's own functions, "
    if own.own_ns < _MATTERS * whole:
        chosen, which = hot[0], "Of all functions, "
    name, where = _name(name_of(chosen.function)), places.function(chosen.function)
    share = share_text(chosen.own_ns / whole)
    return Pointer(
        f"{which}{name} ({where}) took most by itself: {time_text(chosen.own_ns)}, {share} of the"
        " time in all functions, waiting included.",
        "functions",
    )


def _name(name: str) -> str:
    return shorten(name, _NAME_LIMIT)


def _ran(report: Report) -> tuple[tuple[str, str], ...]:
    target, outcome = report.target, report.outcome
    rows = [("target", _name(without_home(target.name))), ("kind", target.kind.value)]
    if target.mode is not None:
        rows.append(("mode", target.mode))
    given = target.parameters
    rows.extend((name, str(given[name])) for name in _NAMED if name in given)
    others = ", ".join(f"{name} {value}" for name, value in given.items() if name not in _NAMED)
    if others:
        rows.append(("parameters", others))
    rows.append(("result", _result(report)))
    if outcome.checksum is not None:
        rows.append(("checksum", shorten(outcome.checksum, 24)))
    return tuple(rows)


def _result(report: Report) -> str:
    checked = [one for one in report.passes if one.verified is not None]
    if not checked:
        return "not checked: nothing says what it should be"
    wrong = ", ".join(one.name for one in checked if one.verified is False)
    if wrong:
        return f"✖ wrong in: {wrong}"
    return f"✔ right in every pass ({len(checked)} checked)"


def _machine(report: Report) -> tuple[tuple[str, str], ...]:
    environment, machine = report.environment, report.environment.machine
    gil = "with the GIL" if environment.gil else "without the GIL"
    build_kind = ", free-threaded build" if environment.free_threaded else ""
    cores = f"{machine.cores}, all usable"
    if machine.usable_cores != machine.cores:
        cores = f"{machine.usable_cores} usable of {machine.cores}"
    if machine.quota_cores is not None:
        cores += f", limited to {machine.quota_cores:g} by the control group"
    nodes = len(machine.numa_nodes)
    memory_nodes = "one memory node" if nodes == 1 else f"{nodes} memory nodes"
    rows = [
        ("Python", f"{environment.python} ({environment.implementation}) {gil}{build_kind}"),
        ("start method", environment.start_method),
        ("processor", machine.model),
        ("cores", cores),
        (
            "memory",
            f"{size_text(machine.memory_bytes)}, {machine.memory_architecture}: {memory_nodes}",
        ),
        (
            "caches",
            "; ".join(
                f"L{one.level} {one.kind} {size_text(one.size_bytes)}"
                + (f" shared by {one.shared_by}" if one.shared_by > 1 else "")
                for one in machine.caches
            )
            or "not known",
        ),
        ("kernel", machine.kernel),
    ]
    return tuple(rows)
