"""GIL: how long it was held, and who waited for whom."""

from dataclasses import dataclass

from concurtrace.model.report import GilTotals, Report, StatesReport
from concurtrace.model.states import State
from concurtrace.model.trace import Origin
from concurtrace.units import count_text, share_text, time_text

from ..._places import Places
from ..._scale import Scale
from ..._states import all_states, gil_absence, source_sentences
from ..._threads import ThreadRow, left_out, thread_rows
from ..._words import absence
from ..chart import Span
from ..section import Section
from . import source
from ._gil_time import Gil, over_time
from ._thread_links import link_of, thread_links
from .states import SHOWN

_OTHERS = 3
_LITTLE = 0.05
_MUCH = 0.5


@dataclass(frozen=True)
class Row:
    """A thread, or threads of one kind; ``held_bar`` and ``waited_bar`` in percent of its life."""

    label: str
    process: str
    held: str
    held_share: str
    held_bar: int
    holds: str
    waited: str
    waited_share: str
    waited_bar: int
    waits: str
    longest: str
    forced: str
    waited_for: tuple[tuple[str, str], ...]
    link: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Blame:
    """A line that ran with the GIL while others waited; ``href`` shows it, "" if nothing does."""

    where: str
    href: str
    time: str
    bar: int
    share: str


@dataclass(frozen=True)
class View:
    """The table, those who wanted the GIL alone; the GIL over time; and the lines to blame."""

    unit: str
    rows: tuple[Row, ...]
    exact: bool
    doubts: tuple[str, ...]
    note: str
    switch_interval: str
    over_time: tuple[Gil, ...]
    ticks: tuple[str, ...]
    blame: tuple[Blame, ...]
    blame_unit: str


def build(report: Report) -> Section:
    """Show what the GIL cost."""
    states = report.states
    trace = report.recording.trace
    if states is None or trace is None:
        return Section("gil", "GIL", absence=absence(report, "Waits for the GIL were", "states"))
    nothing = gil_absence(report)
    if nothing is not None or states.gil is None:
        return Section("gil", "GIL", nothing or "")
    rows = thread_rows(states, SHOWN)
    wanted = sorted(
        (row for row in rows if _held(row) or _waited(row)), key=lambda row: -_waited(row)
    )
    scale = Scale.for_times(ns for row in wanted for ns in (_held(row), _waited(row)))
    hidden, links = left_out(states, rows), thread_links(report)
    view = View(
        scale.unit,
        tuple(_row(row, scale, link_of(row, links)) for row in wanted),
        states.origin is Origin.RECORDED,
        source_sentences(states)[:1] if states.origin is Origin.ESTIMATED else (),
        f"{count_text(hidden)} threads with the shortest lives are not listed." if hidden else "",
        time_text(report.environment.switch_interval_ns),
        over_time(states, trace),
        Span(trace.start_ns, max(trace.end_ns, trace.start_ns + 1)).ticks(),
        *_blame(report, states.gil),
    )
    return Section("gil", "GIL", _answer(states), view)


def _blame(report: Report, totals: GilTotals) -> tuple[tuple[Blame, ...], str]:
    """List the lines, with the unit of their times."""
    places, shown = Places.of(report), source.anchors(source.build(report))
    scale = Scale.for_times(one.ns for one in totals.blame)
    whole = sum(one.ns for one in totals.blame)
    return tuple(
        Blame(
            places.where(one.where),
            source.link(places.parts(one.where), shown),
            scale.text(one.ns),
            round(100 * one.ns / totals.blame[0].ns),
            share_text(one.ns / whole),
        )
        for one in totals.blame
    ), scale.unit


def _answer(states: StatesReport) -> str:
    """Say in one sentence what share of their time threads that had work to do stood still."""
    if states.gil is None:
        return ""
    waited = all_states(states).get(State.GIL_WAIT, 0)
    held, contention = share_text(states.gil.held), states.gil.contention
    start = f"A GIL was held {held} of the {time_text(states.wall_ns)} of the run."
    if not waited:
        return f"{start} No thread waited for it."
    how = (
        f"Threads that wanted to run Python waited {share_text(contention)} of that time for it,"
        f" {time_text(waited)} together"
    )
    if contention < _LITTLE:
        return f"{start} {how}: that is little."
    if contention >= _MUCH:
        return f"{start} {how}: more than they ran."
    return f"{start} {how}."


def _held(row: ThreadRow) -> int:
    exact = sum(one.gil.held_ns for one in row.members)
    return exact or sum(row.states.get(one, 0) for one in (State.RUNNING, State.GIL_BLOCKED))


def _waited(row: ThreadRow) -> int:
    return sum(one.gil.wait_ns for one in row.members) or row.states.get(State.GIL_WAIT, 0)


def _row(row: ThreadRow, scale: Scale, link: str) -> Row:
    gils = [one.gil for one in row.members]
    holds, waits = sum(one.holds for one in gils), sum(one.waits for one in gils)
    longest = max(one.longest_wait_ns for one in gils)
    forced = sum(one.forced for one in gils)
    held, waited, lifetime = _held(row), _waited(row), max(1, row.lifetime_ns)
    return Row(
        label=row.label,
        process=row.process,
        held=scale.text(held),
        held_share=share_text(held / lifetime),
        held_bar=min(100, round(100 * held / lifetime)),
        holds=count_text(holds) if holds else "not known" if held else "0",
        waited=scale.text(waited),
        waited_share=share_text(waited / lifetime),
        waited_bar=min(100, round(100 * waited / lifetime)),
        waits=count_text(waits) if waits else "not known" if waited else "0",
        longest=scale.text(longest) if longest or not waited else "not known",
        forced=count_text(forced),
        waited_for=_others(row, scale),
        link=link,
        keys=(held, holds, waited, waits, longest, forced),
    )


def _others(row: ThreadRow, scale: Scale) -> tuple[tuple[str, str], ...]:
    """Name those who were waited for most; the rest together."""
    told = [(name, scale.text(ns)) for name, ns in row.waited_for]
    rest = row.waited_for[_OTHERS:]
    if len(rest) > 1:
        del told[_OTHERS:]
        told.append((f"{len(rest)} others", scale.text(sum(ns for _, ns in rest))))
    return tuple(told)
