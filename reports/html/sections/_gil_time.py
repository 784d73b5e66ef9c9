"""The GIL over time: who held it, and how many waited."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.report import ProcessReport, StatesReport
from concurtrace.model.spans import SpanFlag
from concurtrace.model.states import State
from concurtrace.model.trace import Process, Trace
from concurtrace.units import share_text, significant

from ..._threads import process_name, thread_name
from ..chart import WIDTH, Path, area, cells
from ..lanes import lane_numbers
from ..levels import density
from ..links import stretch

_HEIGHT = 40
_BAND = 18
_COLUMNS = 200
_HEAT = 5
_PROCESSES = 3
_HOLDERS = 8
_HELD = (State.RUNNING, State.GIL_BLOCKED)


@dataclass(frozen=True)
class Holder:
    """A thread: a path per level of heat, darker where it held the GIL for more of the time."""

    name: str
    paths: tuple[Path, ...]
    held: str
    link: str


@dataclass(frozen=True)
class Gil:
    """The GIL of one process: its waiters as an area, and the threads that held it most."""

    process: str
    waiters: Path
    most: str
    holders: tuple[Holder, ...]
    note: str


def over_time(states: StatesReport, trace: Trace) -> tuple[Gil, ...]:
    """Draw the GIL of the processes in which threads waited longest for it."""
    waited = [
        (sum(trace.threads[row].ns(State.GIL_WAIT) for row in range(one.first, one.last)), number)
        for number, one in enumerate(trace.processes)
    ]
    ranked = sorted((one for one in waited if one[0]), key=lambda one: -one[0])[:_PROCESSES]
    return tuple(
        _gil(states.processes[number], trace, trace.processes[number]) for _, number in ranked
    )


def _gil(told: ProcessReport, trace: Trace, process: Process) -> Gil:
    waiting = np.maximum(0, _density(trace, process.first, process.last, _waits(trace)))
    highest = float(waiting.max())
    step = WIDTH / _COLUMNS
    points = [(round((at + 0.5) * step), float(one)) for at, one in enumerate(waiting)]
    holders = _holders(told, trace, process)
    left = sum(one.gil.holds > 0 for one in trace.threads_of(process)) - len(holders)
    return Gil(
        process_name(told),
        area(points, highest, _HEIGHT),
        significant(highest),
        holders,
        f"{left} more threads held it for less." if left > 0 else "",
    )


def _waits(trace: Trace) -> NDArray[np.bool_]:
    return trace.spans.in_state(State.GIL_WAIT)


def _density(trace: Trace, first: int, last: int, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Tell how many of the chosen spans of some threads there were on average, by column."""
    part = slice(trace.threads[first].first, trace.threads[last - 1].last)
    mine = chosen[part]
    starts, ends = trace.spans.start_ns[part][mine], trace.spans.end_ns[part][mine]
    return density(starts, ends, trace.start_ns, trace.end_ns, _COLUMNS)


def _holders(told: ProcessReport, trace: Trace, process: Process) -> tuple[Holder, ...]:
    """Draw the threads that held the GIL longest, in order of their start."""
    held = (trace.spans.flags & SpanFlag.GIL_HELD) != 0
    if not held.any():
        held = trace.spans.in_state(*_HELD)
    rows = sorted(range(process.first, process.last), key=lambda row: -_held_ns(trace, row))
    lanes = lane_numbers(trace)
    edges = [round(WIDTH * at / _COLUMNS) for at in range(_COLUMNS + 1)]
    found = []
    for row in sorted(row for row in rows[:_HOLDERS] if _held_ns(trace, row)):
        thread = trace.threads[row]
        shares = np.clip(_density(trace, row, row + 1, held), 0, 1)
        heat = np.ceil(np.round(shares * _HEAT, 6)).astype(int).tolist()
        start, end = (one - trace.start_ns for one in (thread.start_ns, thread.end_ns))
        name = thread_name(told.threads[row - process.first])
        share = share_text(_held_ns(trace, row) / max(1, trace.wall_ns))
        link = stretch(start, end, int(lanes[row]))
        found.append(Holder(name, cells(edges, heat, _BAND, _HEAT), share, link))
    return tuple(found)


def _held_ns(trace: Trace, row: int) -> int:
    one = trace.threads[row]
    return one.gil.held_ns or one.ns(*_HELD)
