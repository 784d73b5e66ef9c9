"""Source: the watched lines, and those where threads waited, with their figures beside them."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from concurtrace.model.line_report import LineStates
from concurtrace.model.recording import Function, Recording
from concurtrace.model.report import HotLine, Report
from concurtrace.units import count_text, share_text, size_text, time_text

from ..._places import Places
from ..._scale import Scale
from ..._states import WORDS, words_of
from ..._text import shorten
from ..._words import Absence, absence
from ..section import Section
from ._lines import Figures, Watched, gather, with_states

_LINES = 3_000
"""How many source lines the page holds; functions beyond it are told by name."""
_LONGEST_FUNCTION = 500
_LINE_LIMIT = 300
_LONGEST_HEAD = 40
"""How far above its first line the ``def`` of a function is looked for."""
_OPEN = 4
_HEAT = (0.6, 0.3, 0.1, 0.03)
"""From which share of the hottest line's time on a line has heat 5, 4, 3, 2; any time is 1."""


@dataclass(frozen=True)
class Line:
    """A line of source with texts beside it; ``heat`` 0 to 5, ``anchor`` "" if it was not hit."""

    anchor: str
    number: int
    heat: int
    hits: str
    time: str
    share: str
    memory: str
    ran: str
    waited: str
    rules: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Block:
    """A function with its lines; ``lost`` says why they are not shown.

    ``anchor`` is its address within the page.
    """

    function: Function
    anchor: str
    name: str
    place: str
    time: str
    memory: str
    opened: bool
    lines: tuple[Line, ...]
    lost: str


@dataclass(frozen=True)
class View:
    """The functions, hottest first, with the units of their times and sizes."""

    unit: str
    size_unit: str
    has_times: bool
    has_memory: bool
    has_states: bool
    thread_unit: str
    blocks: tuple[Block, ...]
    absent: tuple[Absence, ...]


def line_anchor(file: str, line: int) -> str:
    """Name a line of source as an address within the page."""
    return f"line-{zlib.crc32(file.encode('utf-8', 'surrogatepass')):08x}-{line}"


def anchors(section: Section) -> frozenset[str]:
    """Return the lines that a built section shows."""
    match section.view:
        case View() as view:
            return frozenset(
                line.anchor for block in view.blocks for line in block.lines if line.anchor
            )
        case _:
            return frozenset()


def functions(section: Section) -> Mapping[Function, str]:
    """Return the addresses of the functions that a built section shows.

    A function has the line of its ``def``, and its plain name.
    """
    match section.view:
        case View() as view:
            return {block.function: f"#{block.anchor}" for block in view.blocks}
        case _:
            return {}


def link(place: tuple[str, int] | None, shown: frozenset[str]) -> str:
    """Lead to a line that the page shows; "" where it doesn't."""
    anchor = line_anchor(*place) if place else ""
    return f"#{anchor}" if anchor in shown else ""


def build(report: Report) -> Section:
    """Show the source with line heat."""
    recording = report.recording
    absent = _absences(report)
    watched = with_states(report, gather(recording.lines, recording.memory_lines))
    if not watched:
        return Section("source", "Source lines", absence=next(iter(absent), _nothing(report)))
    return Section(
        "source",
        "Source lines",
        _answer(report, watched),
        _view(report, watched, absent),
    )


def _absences(report: Report) -> tuple[Absence, ...]:
    recording = report.recording
    parts = (
        (recording.lines, "Time by line was", "lines"),
        (recording.memory_lines, "Memory by line was", "memory"),
    )
    return tuple(absence(report, what, name) for part, what, name in parts if part is None)


def _nothing(report: Report) -> Absence:
    return Absence(
        "No watched function was called.",
        "Name functions that are, and record again:",
        absence(report, "", "lines").command + " --lines MODULE:FUNCTION",
    )


def _answer(report: Report, watched: list[Watched]) -> str:
    if not (report.recording.lines or report.recording.memory_lines):
        return _waited_answer(report, watched)
    watched = [one for one in watched if one.time_ns or one.increment_bytes]
    whole = sum(one.time_ns for one in watched)
    hottest: HotLine | None = next(iter(report.hot.lines), None)
    many = "One function was" if len(watched) == 1 else f"{len(watched)} functions were"
    if hottest is None or not hottest.time_ns or not whole:
        return f"{many} watched line by line."
    place = Places.of(report).line(hottest.file, hottest.line)
    return (
        f"{many} watched line by line; the line with most time is {place} with"
        f" {time_text(hottest.time_ns)} in {count_text(hottest.hits)} hits."
    )


def _waited_answer(report: Report, watched: list[Watched]) -> str:
    """Say at which line threads waited longest, where no line was timed."""
    states = [line.states for place in watched for line in place.lines.values() if line.states]
    worst = max(states, key=lambda one: sum(one.waits.values()), default=None)
    if worst is None or not worst.waits:
        return "The lines that findings speak of."
    state = max(worst.waits, key=lambda one: worst.waits[one])
    place = Places.of(report).line(worst.file, worst.line)
    name = words_of(state, gil=report.environment.gil).name
    return f"Threads waited longest at {place}: {time_text(worst.waits[state])} {name}."


def _view(report: Report, watched: list[Watched], absent: tuple[Absence, ...]) -> View:
    recording = report.recording
    figures = [one for place in watched for one in place.lines.values()]
    times = Scale.for_times(one.time_ns for one in figures)
    sizes = Scale.for_sizes(one.increment_bytes or 0 for one in figures)
    threads = Scale.for_times(
        ns
        for one in figures
        if one.states
        for ns in (one.states.ran_ns, *one.states.waits.values())
    )
    hottest = max(map(_heat_ns, figures))
    table = _Table(report, times, sizes, threads, hottest, _sources(recording))
    blocks, budget = [], _LINES
    for number, place in enumerate(watched):
        budget -= min(place.length, _LONGEST_FUNCTION)
        blocks.append(table.block(place, number, fits=budget >= 0))
    return View(
        times.unit,
        sizes.unit,
        recording.lines is not None,
        recording.memory_lines is not None,
        any(one.states for one in figures),
        threads.unit,
        tuple(blocks),
        absent,
    )


def _heat_ns(one: Figures) -> int:
    """Tell what makes a line hot: its timed time, else what threads were seen to spend there."""
    return one.time_ns or (one.states.ns if one.states else 0)


def _definition(place: Watched, source: tuple[str, ...]) -> int:
    """Find the line of the ``def`` above the first recorded line; that line if it is not near."""
    first = min(place.lines)
    name = re.escape(place.name.rpartition(".")[2])
    head = re.compile(rf"\s*(async\s+)?def\s+{name}\b")
    numbers = range(min(first, len(source)), max(0, first - _LONGEST_HEAD), -1)
    return next((number for number in numbers if head.match(source[number - 1])), first)


def _sources(recording: Recording) -> dict[str, tuple[str, ...]]:
    parts = (recording.lines, recording.memory_lines)
    profiled = {
        source.file: source.lines for part in parts if part is not None for source in part.sources
    }
    return {one.file: one.lines for one in recording.sources or ()} | profiled


@dataclass(frozen=True)
class _Table:
    """What every row of the tables is made with."""

    report: Report
    times: Scale
    sizes: Scale
    threads: Scale
    hottest_ns: int
    sources: dict[str, tuple[str, ...]]
    taken: set[str] = field(default_factory=set)

    def block(self, place: Watched, number: int, *, fits: bool) -> Block:
        """Show a function; without lines where there is no room."""
        source = self.sources.get(place.file, ())
        first = _definition(place, source)
        last = min(max(place.lines), first + _LONGEST_FUNCTION)
        lost = ""
        if not source:
            lost = "Its source was not found when it was recorded; line numbers are still exact."
        elif not fits:
            lost = "Left out to keep this page small: watch fewer functions with --lines to see it."
        elif last < max(place.lines):
            lost = f"Only its first {_LONGEST_FUNCTION} lines are shown."
        numbers = range(first, last + 1) if source else sorted(place.lines)
        added = place.increment_bytes
        return Block(
            function=Function(place.file, first, place.name.rpartition(".")[2]),
            anchor=f"in-{number}",
            name=shorten(place.name, 160),
            place=Places.of(self.report).line(place.file, first),
            time=time_text(place.time_ns) if place.time_ns else "",
            memory=size_text(added) if added > 0 else "",
            opened=number < _OPEN,
            lines=tuple(self._line(place, number, source) for number in numbers) if fits else (),
            lost=lost,
        )

    def _line(self, place: Watched, number: int, source: tuple[str, ...]) -> Line:
        one = place.lines.get(number, Figures())
        whole, grown = place.time_ns, one.increment_bytes
        text = source[number - 1] if number <= len(source) else ""
        return Line(
            anchor=self._anchor(place.file, number) if number in place.lines else "",
            number=number,
            heat=self._heat(_heat_ns(one)),
            hits=count_text(one.hits) if one.hits else "",
            time=self.times.text(one.time_ns) if one.hits else "",
            share=share_text(one.time_ns / whole) if one.time_ns and whole else "",
            memory=f"{'+' if grown > 0 else ''}{self.sizes.text(grown)}" if grown else "",
            ran=self.threads.text(one.states.ran_ns) if one.states and one.states.ran_ns else "",
            waited=self._waited(one.states) if one.states else "",
            rules=one.rules,
            text=shorten(text.rstrip().expandtabs(4), _LINE_LIMIT),
        )

    def _waited(self, one: LineStates) -> str:
        """Tell the waits at a line, the longest first."""
        ranked = sorted(one.waits.items(), key=lambda pair: -pair[1])
        return ", ".join(
            f"{self.threads.text(ns)} {WORDS[state].short}" for state, ns in ranked[:2]
        )

    def _anchor(self, file: str, number: int) -> str:
        """Give a line its address; where functions overlap, the first one shown has it."""
        anchor = line_anchor(file, number)
        if anchor in self.taken:
            return ""
        self.taken.add(anchor)
        return anchor

    def _heat(self, time_ns: int) -> int:
        if time_ns <= 0:
            return 0
        share = time_ns / self.hottest_ns
        return next((5 - rank for rank, limit in enumerate(_HEAT) if share >= limit), 1)
