"""Overview: how the run went, the figures that sum it up, and what ran on what."""

from dataclasses import dataclass

from concurtrace.model.report import Report
from concurtrace.units import share_text, size_text, time_text

from ..._facts import Fact, facts, function_time_ns
from ..._text import Origin, Places, origin, shorten, without_home
from ..._words import NoteKind, Tone, Verdict, notes, verdict
from ..section import Section

_NAME_LIMIT = 80
_LISTED = 3


@dataclass(frozen=True)
class Pointer:
    """Something worth a look: a sentence, and the section that shows it."""

    text: str
    section: str


@dataclass(frozen=True)
class View:
    """``ran`` and ``machine`` are rows of a name and a text."""

    verdict: Verdict
    sign: str
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
    shown = [f"{_capital(note.about)}: {note.text}." for note in found[:_LISTED]]
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
    """Point at the most expensive function, line and memory line of the target's own code."""
    places = Places.of_run(report.run_path)
    hot, whole = report.hot, function_time_ns(report)
    found = []
    own = next((one for one in hot.functions if origin(one.function) is Origin.OWN), None)
    if own is not None and whole:
        where = places.function(own.function)
        found.append(
            Pointer(
                f"Of the target's own functions, {_name(own.function.name)} ({where}) took most:"
                f" {time_text(own.own_ns)}, {share_text(own.own_ns / whole)} of the time in all"
                f" functions.",
                "functions",
            )
        )
    line = next(iter(hot.lines), None)
    if line is not None and line.time_ns:
        found.append(
            Pointer(
                f"The line that took most is {places.line(line.file, line.line)}:"
                f" {time_text(line.time_ns)}, waiting included.",
                "source",
            )
        )
    grown = next(iter(hot.memory_lines), None)
    if grown is not None and grown.increment_bytes > 0:
        found.append(
            Pointer(
                f"The line that added most memory is {places.line(grown.file, grown.line)}:"
                f" {size_text(grown.increment_bytes)}.",
                "source",
            )
        )
    return found[:_LISTED]


def _name(name: str) -> str:
    return shorten(name, _NAME_LIMIT)


def _ran(report: Report) -> tuple[tuple[str, str], ...]:
    target, outcome = report.target, report.outcome
    rows = [("target", _name(without_home(target.name))), ("kind", target.kind.value)]
    if target.mode is not None:
        rows.append(("mode", target.mode))
    rows.extend((name, str(value)) for name, value in target.parameters.items())
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
