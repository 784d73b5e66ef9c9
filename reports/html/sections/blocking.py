"""Blocking: which thread waited for which, and in which order locks were taken."""

from dataclasses import dataclass

import numpy as np

from concurtrace.model.report import Report
from concurtrace.model.states import STATES, Reason, State
from concurtrace.model.trace import Trace
from concurtrace.units import count_text, share_text, time_text

from ..._places import Places
from ..._scale import Scale
from ..._states import words_of
from ..._threads import process_name, thread_name
from ..._words import absence
from ..graph import Arrow, Picture, ring
from ..lanes import lane_numbers
from ..links import interval
from ..section import Section
from ._lock_order import Told, order_of_locks
from ._stuck import stuck

_STATES = (State.GIL_WAIT, State.LOCK_WAIT, State.CONDITION_WAIT, State.CHILD_WAIT)
_ROWS = 60
_DRAWN = 10
"""Pairs of threads in the picture: more arrows than that can't be told apart."""
_MATTERS = 0.02
"""Share of the longest waits of any pair below which a pair is not drawn."""

_Pairs = list[tuple[tuple[int, int], State, int]]


@dataclass(frozen=True)
class Edge:
    """Waits of one thread in one state that another one ended; ``link`` opens the longest."""

    waiter: str
    other: str
    state: str
    waits: str
    time: str
    bar: int
    longest: str
    link: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class View:
    """The edges of the graph of waits, worst first, and the order of locks.

    ``stuck`` are pairs of threads of which the first waited to the end for a lock of the second.
    """

    unit: str
    edges: tuple[Edge, ...]
    picture: Picture
    stuck: tuple[tuple[str, str], ...]
    note: str
    order: Told


@dataclass(frozen=True)
class _Waits:
    """The worst edges and how many there are; the time in them, and in waits of any ender."""

    edges: tuple[Edge, ...]
    pairs: _Pairs
    names: tuple[str, ...]
    many: int
    known_ns: int
    whole_ns: int


def build(report: Report) -> Section:
    """Show who waited for whom."""
    trace, states = report.recording.trace, report.states
    title = "Who waited for whom"
    if trace is None or states is None:
        missing = absence(report, "Who ended which wait was", "states")
        return Section("blocking", title, absence=missing)
    waits = _edges(report, trace)
    ended = report.outcome.standstill is None and not report.outcome.timed_out
    knots = [] if ended else stuck(trace)
    told = order_of_locks(trace, states.lock_order, Places.of(report))
    if not waits.edges and not told.orders:
        return Section("blocking", title, "No wait of one thread for another was recorded.")
    left = waits.many - len(waits.edges)
    scale = Scale.for_times(one.keys[1] for one in waits.edges)
    view = View(
        scale.unit,
        waits.edges,
        ring(
            waits.names,
            [Arrow(*pair, "▲ to the end", 3, strong=True) for pair in knots]
            or _arrows(waits.pairs, report.environment.gil),
        ),
        tuple((waits.names[waiter], waits.names[other]) for waiter, other in knots),
        f"{count_text(left)} pairs with shorter waits are not listed." if left > 0 else "",
        told,
    )
    return Section("blocking", title, _stuck_answer(knots) + _answer(waits), view)


def _stuck_answer(knots: list[tuple[int, int]]) -> str:
    if not knots:
        return ""
    noun = "thread" if len(knots) == 1 else "threads"
    return f"{len(knots)} {noun} waited to the end of the run for locks that others had. "


def _answer(waits: _Waits) -> str:
    if not waits.edges:
        return "No wait of one thread for another was recorded."
    first = waits.edges[0]
    times = "one wait" if first.waits == "1" else f"{first.waits} waits"
    known = share_text(waits.known_ns / max(1, waits.whole_ns))
    return (
        f"Most of all, {first.waiter} waited for {first.other} ({first.state}):"
        f" {time_text(first.keys[1])} in {times}. Who ended them is known of {known} of the time in"
        " such waits."
    )


def _edges(report: Report, trace: Trace) -> _Waits:
    """Add waits up by waiter, who ended them, and state."""
    spans = trace.spans
    waits = spans.in_state(*_STATES) & (spans.reason != Reason.IDLE_WORKER.code)
    rows = np.flatnonzero(waits)
    lengths = spans.end_ns[rows] - spans.start_ns[rows]
    whole = int(lengths.sum())
    others = trace.rows_of(spans.waker[rows], spans.end_ns[rows])
    mine = trace.span_threads[rows].astype(np.int64)
    there = (others >= 0) & (others != mine)
    rows, lengths, others, mine = rows[there], lengths[there], others[there], mine[there]
    many = len(trace.threads)
    keys = (mine * many + others) * len(STATES) + spans.state[rows]
    found, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, lengths, len(found)).astype(np.int64)
    order = np.lexsort((lengths, inverse))
    longest = rows[order[np.cumsum(counts) - 1]] if len(found) else rows
    names, lanes = _names(report, trace), lane_numbers(trace)
    scale = Scale.for_times(sums.tolist())
    most = int(sums.max(initial=1))
    edges, pairs = [], []
    for number in np.argsort(-sums, kind="stable")[:_ROWS].tolist():
        pair, code = divmod(int(found[number]), len(STATES))
        waiter, other = divmod(pair, many)
        row, ns = int(longest[number]), int(sums[number])
        pairs.append(((waiter, other), STATES[code], ns))
        lasted = int(spans.end_ns[row] - spans.start_ns[row])
        edges.append(
            Edge(
                names[waiter],
                names[other],
                words_of(STATES[code], gil=report.environment.gil).name,
                count_text(int(counts[number])),
                scale.text(ns),
                round(100 * ns / most),
                time_text(lasted),
                interval(trace, row, int(lanes[waiter])),
                (int(counts[number]), ns),
            )
        )
    return _Waits(tuple(edges), pairs, names, len(found), int(lengths.sum()), whole)


def _names(report: Report, trace: Trace) -> tuple[str, ...]:
    """Name every thread of the trace, in order of its rows."""
    states = report.states
    if states is None:
        return ()
    alone = sum(bool(one.threads) for one in states.processes) == 1
    names = {
        first.first + number: thread_name(one) + ("" if alone else f" in {process_name(process)}")
        for first, process in zip(trace.processes, states.processes, strict=True)
        for number, one in enumerate(process.threads)
    }
    return tuple(names[row] for row in range(len(trace.threads)))


def _arrows(waits: _Pairs, gil: bool) -> list[Arrow]:
    """Make an arrow of every pair of threads, those with the longest waits first."""
    sums: dict[tuple[int, int], dict[State, int]] = {}
    for pair, state, ns in waits:
        mine = sums.setdefault(pair, {})
        mine[state] = mine.get(state, 0) + ns
    ranked = sorted(sums.items(), key=lambda one: -sum(one[1].values()))[:_DRAWN]
    most = max((sum(states.values()) for _, states in ranked), default=1)
    found = []
    for (waiter, other), states in ranked:
        ns = sum(states.values())
        if ns < _MATTERS * most:
            break
        worst = max(states, key=lambda state: states[state])
        label = f"{time_text(ns)} {words_of(worst, gil=gil).short}"
        found.append(Arrow(waiter, other, label, max(1, round(5 * ns / most))))
    return found
