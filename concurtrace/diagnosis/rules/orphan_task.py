"""Something went wrong in a task and nobody was told, or nobody waited for it to end.

An exception that nobody asks for is lost with its task; a coroutine that is never awaited never
ran; a task that is still pending when the loop ends was cut off in the middle of its work.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.tasks import FaultKind, Flavour, Outcome, TaskFlag

TOLD = 5
"""Faults told one by one: with more of a kind the first say enough."""

_SAID = {
    FaultKind.NEVER_RETRIEVED: (
        "failed with an exception that nobody ever asked for",
        "Await every task, or keep them in a TaskGroup, which passes their exceptions on.",
    ),
    FaultKind.DESTROYED_PENDING: (
        "was destroyed while it was pending: nobody kept a reference to it",
        "Keep a reference to every task until it is done: the loop itself keeps none.",
    ),
    FaultKind.NEVER_AWAITED: (
        "was called and never awaited, so it never ran",
        "Await the coroutine, or make a task of it.",
    ),
}


def check(case: Case) -> Iterable[Answer]:
    """Tell what was lost, and which tasks were pending at the end."""
    counts: Counter[tuple[FaultKind, str, str]] = Counter()
    figures, zero_ns = case.loops.figures, case.whole.start_ns
    first: dict[tuple[FaultKind, str, str], int] = {}
    for fault in case.loops.tasks.faults:
        if fault.kind in _SAID:
            text = fault.text if fault.kind is FaultKind.NEVER_RETRIEVED else ""
            place = figures.places.of(fault.stack) or ""
            key = fault.kind, text.partition(": ")[2] or fault.text, place
            counts[key] += 1
            first.setdefault(key, fault.time_ns - zero_ns)
    for key, count in counts.most_common(TOLD):
        kind, text, place = key
        what, remedy = _SAID[kind]
        name = place.rpartition(" in ")[2] or text or "A task"
        yield Answer(
            Severity.WARNING,
            f"{name} {what}" + (f": {text}." if kind is FaultKind.NEVER_RETRIEVED else "."),
            f"It happened {plural(count, 'time')}.",
            remedy,
            (place,) if place else (),
            (first[key], first[key]),
            {"count": count},
            cause=Cause.CODE,
            thing=place or text,
        )
    yield from _pending(case)
    if not counts:
        yield fine("No exception of a task was lost.")


def _pending(case: Case) -> Iterable[Answer]:
    """Tell tasks that had not ended when their loop was shut down or their process ended."""
    figures = case.loops.figures
    tasks = figures.trace.tasks
    single = (tasks.flags & (TaskFlag.GROUP | TaskFlag.HUB)) == 0
    closed = np.array([one.end_ns is not None for one in figures.trace.processes])
    # Greenlets and generators that still wait when a program ends are how those programs end.
    owned = np.array([one.flavour is Flavour.ASYNCIO for one in figures.trace.loops] + [False])
    single &= owned[tasks.loop]
    left = (tasks.outcome == tuple(Outcome).index(Outcome.PENDING)) & closed[tasks.process]
    rows = np.flatnonzero(single & (left | ((tasks.flags & TaskFlag.SHUTDOWN) != 0)))
    if not len(rows):
        return
    places = Counter(figures.places.of(int(tasks.waits_at[row])) or "" for row in rows.tolist())
    names = Counter(figures.coroutine(row) for row in rows.tolist())
    yield Answer(
        Severity.INFO,
        f"{plural(len(rows), 'task')} had not ended when the event loop was shut down:"
        f" {', '.join(f'{count} x {name}' for name, count in names.most_common(3))}.",
        "They were cancelled or cut off where they waited.",
        "If their work matters, await them before the end; if not, cancel them yourself.",
        tuple(place for place, _ in places.most_common(3) if place),
        evidence={"tasks": len(rows)},
        cause=Cause.CODE,
        thing="pending tasks",
    )


RULE = Rule("orphan-task", frozenset({Part.TASKS}), check)
