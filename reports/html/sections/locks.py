"""Locks: which ones threads waited for, who had them meanwhile, and where all that was."""

import re
from dataclasses import dataclass

from concurtrace.model.report import LockPlace, LockReport, Report, StatesReport
from concurtrace.model.states import State
from concurtrace.model.trace import Origin
from concurtrace.units import count_text, share_text, time_text

from ..._places import Places
from ..._scale import Scale
from ..._states import all_states
from ..._text import shorten
from ..._words import absence
from ..lanes import lane_numbers
from ..links import interval
from ..section import Section

_ROWS = 100
_PLACES = 3
_NAME = 80
_MATTERS = 0.001
_CREATED = re.compile(r"(?P<file>.*):(?P<line>\d+)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """A lock, or the locks made at one line."""

    name: str
    kind: str
    created_at: str
    locks: str
    acquisitions: str
    contended: str
    contended_share: str
    wait: str
    wait_bar: int
    hold: str
    held_by: tuple[tuple[str, str], ...]
    waited_at: tuple[tuple[str, str], ...]
    link: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class View:
    """The table of locks that were waited for, and the threshold of what is told singly."""

    unit: str
    rows: tuple[Row, ...]
    note: str
    below: str


def build(report: Report) -> Section:
    """Show the locks."""
    states = report.states
    if states is None:
        return Section("locks", "Locks", absence=absence(report, "Waits for locks were", "states"))
    waited = [one for one in states.locks if one.wait_ns]
    if not waited:
        return Section("locks", "Locks", _nothing(states))
    places = Places.of(report)
    shown = waited[:_ROWS]
    scale = Scale.for_times(ns for one in shown for ns in (one.wait_ns, one.hold_ns))
    free = len(states.locks) - len(waited)
    said = []
    if len(waited) > len(shown):
        said.append(f"The {len(shown)} that cost most of {len(waited)} are shown.")
    if free:
        noun = "lock was" if free == 1 else "locks were"
        said.append(f"{count_text(free)} more {noun} taken, and never waited for.")
    most = max(one.wait_ns for one in shown)
    view = View(
        scale.unit,
        tuple(_row(one, scale, places, most, _link(report, one)) for one in shown),
        " ".join(said),
        time_text(max(states.min_span_ns)) if max(states.min_span_ns) else "",
    )
    answer = _answer(waited, places)
    whole = sum(all_states(states).values())
    if sum(one.wait_ns for one in waited) < _MATTERS * whole:
        answer += " That is less than 0.1 % of their time."
    return Section("locks", "Locks", answer, view)


def _nothing(states: StatesReport) -> str:
    """Say that no lock kept anybody waiting, and how many takings that rests on."""
    waited = all_states(states).get(State.LOCK_WAIT, 0)
    if waited:
        return (
            f"Threads waited {time_text(waited)} for locks; which ones is not known, because the"
            f" states were {states.origin.value}."
            if states.origin is Origin.ESTIMATED
            else f"Threads waited {time_text(waited)} for locks that could not be told apart."
        )
    if states.origin is Origin.ESTIMATED:
        return "No thread was seen waiting for a lock by sampling; short waits are missed."
    taken = sum(one.acquisitions for one in states.locks)
    seen = f" ({count_text(taken)} takings were seen.)" if taken else ""
    return f"No thread waited for a lock.{seen}"


def _answer(waited: list[LockReport], places: Places) -> str:
    first = waited[0]
    whole = sum(one.wait_ns for one in waited)
    at = f" ({_created(first, places)})" if first.created_at else ""
    name = shorten(first.name, _NAME)
    if len(waited) == 1:
        return (
            f"Threads waited {time_text(whole)} for one lock, {name}{at},"
            f" in {_times(first.contended)}."
        )
    return (
        f"Threads waited {time_text(whole)} for {len(waited)} locks; {name}{at} cost most:"
        f" {time_text(first.wait_ns)} in {_times(first.contended)}."
    )


def _times(count: int) -> str:
    return "one wait" if count == 1 else f"{count_text(count)} waits"


def _link(report: Report, one: LockReport) -> str:
    """Lead to the longest wait for a lock; "" where none was kept singly."""
    trace = report.recording.trace
    if trace is None or one.longest is None:
        return ""
    thread = int(trace.span_threads[one.longest])
    return interval(trace, one.longest, int(lane_numbers(trace)[thread]))


def _row(one: LockReport, scale: Scale, places: Places, most: int, link: str) -> Row:
    return Row(
        name=shorten(one.name, _NAME),
        kind=one.kind,
        created_at=_created(one, places) if one.created_at else "creation not seen",
        locks=count_text(one.locks),
        acquisitions=count_text(one.acquisitions),
        contended=count_text(one.contended),
        contended_share=share_text(one.contended / one.acquisitions) if one.acquisitions else "",
        wait=scale.text(one.wait_ns),
        wait_bar=round(100 * one.wait_ns / most),
        hold=scale.text(one.hold_ns) if one.hold_ns else "not known",
        held_by=_places(one.held_by, scale, places),
        waited_at=_places(one.waited_at, scale, places),
        link=link,
        keys=(one.locks, one.acquisitions, one.contended, one.wait_ns, one.hold_ns),
    )


def _created(one: LockReport, places: Places) -> str:
    match = _CREATED.fullmatch(one.created_at or "")
    return places.line(match["file"], int(match["line"])) if match else str(one.created_at)


def _places(
    found: tuple[LockPlace, ...], scale: Scale, places: Places
) -> tuple[tuple[str, str], ...]:
    """Tell the places with most time; the rest together."""
    told = [(places.where(one.where), scale.text(one.ns)) for one in found]
    rest = found[_PLACES:]
    if len(rest) > 1:
        told[_PLACES:] = [(f"{len(rest)} more places", scale.text(sum(one.ns for one in rest)))]
    return tuple(told)
