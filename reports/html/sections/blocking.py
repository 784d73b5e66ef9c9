"""Blocking: which thread waited for which, and in which order locks were taken."""

from collections.abc import Mapping
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
from ..lanes import lane_numbers
from ..naming import object_text
from ..section import Section

_STATES = (State.GIL_WAIT, State.LOCK_WAIT, State.CONDITION_WAIT, State.CHILD_WAIT)
_ROWS = 60
_ORDERS = 40
_NODES = 300


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
class Order:
    """A lock that was taken while another was held; ``circle`` says that both orders occur."""

    held: str
    taken: str
    circle: bool


@dataclass(frozen=True)
class View:
    """The edges of the graph of waits, worst first, and those of the order of locks."""

    unit: str
    edges: tuple[Edge, ...]
    note: str
    orders: tuple[Order, ...]
    circles: bool


@dataclass(frozen=True)
class _Waits:
    """The worst edges and how many there are; the time in them, and in waits of any ender."""

    edges: tuple[Edge, ...]
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
    orders = _orders(trace, Places.of(report))
    if not waits.edges and not orders:
        return Section("blocking", title, "No wait of one thread for another was recorded.")
    left = waits.many - len(waits.edges)
    scale = Scale.for_times(one.keys[1] for one in waits.edges)
    view = View(
        scale.unit,
        waits.edges,
        f"{count_text(left)} pairs with shorter waits are not listed." if left > 0 else "",
        orders[:_ORDERS],
        any(one.circle for one in orders),
    )
    return Section("blocking", title, _answer(waits), view)


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
    edges = []
    for number in np.argsort(-sums, kind="stable")[:_ROWS].tolist():
        pair, code = divmod(int(found[number]), len(STATES))
        waiter, other = divmod(pair, many)
        row, ns = int(longest[number]), int(sums[number])
        start, end = (int(one[row]) - trace.start_ns for one in (spans.start_ns, spans.end_ns))
        margin = (end - start) // 2
        edges.append(
            Edge(
                names[waiter],
                names[other],
                words_of(STATES[code], gil=report.environment.gil).name,
                count_text(int(counts[number])),
                scale.text(ns),
                round(100 * ns / most),
                time_text(end - start),
                f"#timeline?t0={max(0, start - margin)}&t1={end + margin}"
                f"&lane={lanes[waiter]}&at={start}",
                (int(counts[number]), ns),
            )
        )
    return _Waits(tuple(edges), len(found), int(lengths.sum()), whole)


def _names(report: Report, trace: Trace) -> Mapping[int, str]:
    states = report.states
    if states is None:
        return {}
    alone = sum(bool(one.threads) for one in states.processes) == 1
    return {
        first.first + number: thread_name(one) + ("" if alone else f" in {process_name(process)}")
        for first, process in zip(trace.processes, states.processes, strict=True)
        for number, one in enumerate(process.threads)
    }


def _orders(trace: Trace, places: Places) -> tuple[Order, ...]:
    """List which locks were taken while which were held; circles first."""
    pairs = sorted({(held, one.taken) for one in trace.orders for held in one.held})
    after: dict[int, set[int]] = {}
    for held, taken in pairs:
        after.setdefault(held, set()).add(taken)
    found = [
        Order(
            object_text(trace, trace.objects[held], places),
            object_text(trace, trace.objects[taken], places),
            _leads(after, taken, held),
        )
        for held, taken in pairs[:_NODES]
    ]
    return tuple(sorted(found, key=lambda one: not one.circle))


def _leads(after: Mapping[int, set[int]], start: int, end: int) -> bool:
    """Whether some order of taking leads from one lock to another."""
    todo, seen = [start], {start}
    while todo:
        for one in after.get(todo.pop(), set()) - seen:
            seen.add(one)
            todo.append(one)
    return end in seen
