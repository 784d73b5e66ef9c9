"""Waits of processes at what they share: queues, pipes and locks, and for children to end."""

import re
from dataclasses import dataclass

from concurtrace.model.process_report import Exchange
from concurtrace.model.report import Report, StatesReport
from concurtrace.model.trace import Trace
from concurtrace.units import count_text, time_text

from ..._places import Places
from ..._scale import Scale
from ..._states import words_of
from ..._threads import process_name
from ..lanes import lane_numbers
from ..links import interval
from ..naming import object_text

_ROWS = 60
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class Wait:
    """Waits at one place: of one process, or of all whose names differ in numbers alone."""

    process: str
    state: str
    what: str
    waits: str
    time: str
    bar: int
    longest: str
    where: str
    link: str
    keys: tuple[int, ...]


def waits_told(report: Report, trace: Trace, states: StatesReport) -> tuple[tuple[Wait, ...], str]:
    """Tell who waited at what, the longest first, and the unit of the times."""
    groups: dict[tuple[object, ...], list[Exchange]] = {}
    for one in states.costs.exchanges:
        kind = _NUMBERS.sub("N", trace.processes[one.row].name)
        key = (kind, one.state, one.reason, one.writing, one.kind, one.where)
        groups.setdefault(key, []).append(one)
    ranked = sorted(groups.values(), key=lambda mine: -_ns(mine))[:_ROWS]
    scale = Scale.for_times(map(_ns, ranked))
    most = max(map(_ns, ranked), default=1)
    lanes = lane_numbers(trace)
    found = []
    for mine in ranked:
        longest = max((one.longest for one in mine), key=lambda row: int(_length(trace, row)))
        waits = sum(one.waits for one in mine)
        first = mine[0]
        words = words_of(first.state, gil=report.environment.gil).name
        found.append(
            Wait(
                process=_who(states, mine),
                state=f"{words} ({first.reason.word})" if first.reason.word else words,
                what=_thing(report, trace, mine),
                waits=count_text(waits),
                time=scale.text(_ns(mine)),
                bar=round(100 * _ns(mine) / most),
                longest=time_text(_length(trace, longest)),
                where=Places.of(report).where(first.where) if first.where else "not known",
                link=interval(trace, longest, int(lanes[int(trace.span_threads[longest])])),
                keys=(waits, _ns(mine), _length(trace, longest)),
            )
        )
    return tuple(found), scale.unit


def _ns(mine: list[Exchange]) -> int:
    return sum(one.ns for one in mine)


def _length(trace: Trace, row: int) -> int:
    return int(trace.spans.end_ns[row] - trace.spans.start_ns[row])


def _who(states: StatesReport, mine: list[Exchange]) -> str:
    rows = {one.row for one in mine}
    if len(rows) == 1:
        return process_name(states.processes[mine[0].row])
    kind = _NUMBERS.sub("N", process_name(states.processes[mine[0].row]).rpartition(" (")[0])
    return f"{kind}: {len(rows)} processes"


def _thing(report: Report, trace: Trace, mine: list[Exchange]) -> str:
    """Name what was waited for; several things by their kind and number."""
    things = {one.object for one in mine}
    first = mine[0]
    if not first.object:
        return "a child to end"
    name = f"{len(things)} {first.kind.value}s"
    if len(things) == 1:
        name = object_text(trace, trace.objects[first.object], Places.of(report))
    return f"room to write into {name}" if first.writing else name
