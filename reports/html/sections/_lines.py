"""Lines with what was recorded of each: timed, grown, waited at, and told of by findings."""

from collections import defaultdict
from dataclasses import dataclass, field

from concurtrace.model.line_report import LineStates
from concurtrace.model.recording import LineProfile, MemoryLines
from concurtrace.model.report import Report, Severity

from ..._places import Places

_ADDED = 12
"""Functions that are shown for their waits or findings alone."""

_Key = tuple[str, int]


@dataclass
class Figures:
    """What was recorded of one line, over all processes."""

    hits: int = 0
    time_ns: int = 0
    increment_bytes: int | None = None
    states: LineStates | None = None
    rules: tuple[str, ...] = ()


@dataclass
class Watched:
    """A watched function while its lines are gathered."""

    file: str
    name: str
    lines: dict[int, Figures] = field(default_factory=lambda: defaultdict(Figures))

    @property
    def time_ns(self) -> int:
        """The time of all its lines."""
        return sum(one.time_ns for one in self.lines.values())

    @property
    def thread_ns(self) -> int:
        """The time that threads were seen on all its lines, at work or waiting."""
        return sum(one.states.ns for one in self.lines.values() if one.states)

    @property
    def increment_bytes(self) -> int:
        """The memory that all its lines added."""
        return sum(one.increment_bytes or 0 for one in self.lines.values())

    @property
    def length(self) -> int:
        """How many lines of source it has, from its first recorded one to its last."""
        return max(self.lines) - min(self.lines) + 1


def gather(lines: LineProfile | None, memory: MemoryLines | None) -> list[Watched]:
    """Bring the lines of both passes together, by function; the hottest function first."""
    found: dict[tuple[str, str], Watched] = {}
    owner: dict[_Key, Watched] = {}
    for table in lines.tables if lines else ():
        for row in table.lines:
            place = found.setdefault((row.file, row.function), Watched(row.file, row.function))
            figures = place.lines[row.line]
            figures.hits += row.hits
            figures.time_ns += row.time_ns
            owner[row.file, row.line] = place
    for grown in memory.lines if memory else ():
        # The two tools may name a method differently: the line decides.
        place = owner.get((grown.file, grown.line)) or found.setdefault(
            (grown.file, grown.function), Watched(grown.file, grown.function)
        )
        figures = place.lines[grown.line]
        figures.increment_bytes = (figures.increment_bytes or 0) + grown.increment_bytes
    return sorted(
        found.values(),
        key=lambda one: (-one.time_ns, -one.increment_bytes, one.file, min(one.lines)),
    )


def with_states(report: Report, watched: list[Watched]) -> list[Watched]:
    """Put waits and findings beside the lines; add functions that have such lines, if known."""
    marks = _marks(report)
    owner = {(place.file, number): place for place in watched for number in place.lines}
    named = {(place.file, place.name): place for place in watched}
    known = {one.file for one in report.recording.sources or ()}
    added: dict[tuple[str, str], Watched] = {}
    lines = report.states.lines if report.states else ()
    for one in lines:
        key = (one.file, one.function)
        place = owner.get((one.file, one.line)) or named.get(key)
        if place is None and one.file in known:
            place = added.setdefault(key, Watched(one.file, one.function))
        if place is not None:
            place.lines[one.line].states = one
    for (file, number), (name, rules) in marks.items():
        place = owner.get((file, number)) or named.get((file, name))
        if place is None and file in known:
            place = added.setdefault((file, name), Watched(file, name))
        if place is not None:
            place.lines[number].rules = tuple(rules)
    ranked = sorted(added.values(), key=lambda one: (not _is_marked(one), -one.thread_ns))
    return watched + ranked[:_ADDED]


def _is_marked(place: Watched) -> bool:
    return any(one.rules for one in place.lines.values())


def _marks(report: Report) -> dict[_Key, tuple[str, list[str]]]:
    """Tell of which lines findings speak: their function, and the rules."""
    found: dict[_Key, tuple[str, list[str]]] = {}
    places = Places.of(report)
    for one in report.findings:
        if one.severity not in (Severity.WARNING, Severity.INFO):
            continue
        for where in one.where:
            place = places.parts(where)
            if place is not None:
                rules = found.setdefault(place, (where.rpartition(" in ")[2], []))[1]
                rules.append(one.rule)
    return found
