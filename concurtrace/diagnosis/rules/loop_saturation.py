"""An event loop has more to do than one thread can.

No single step is to blame: there are so many that the loop hardly ever waits, and everything it
runs is late.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.loops import SLOW_NS
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.loops import advice
from concurtrace.model.report import Severity
from concurtrace.model.tasks import Flavour, TaskFlag, percentile_ns
from concurtrace.units import count_text, share_text, time_text

BUSY = Limits(0.9, 0.95)
"""Utilisation: Clinic.js doctor calls a loop saturated from 95 % on."""
LATE_NS = 1_000_000
"""Typical lateness below which a busy loop still serves everybody at once."""
LONG_STEPS = 0.3
"""Share of its work in steps over 10 ms from which these are the cause, not the number."""
SHARE = 0.2
"""A loop that lived for a smaller share of the run does not decide about it."""

_REMEDY = {
    Flavour.ASYNCIO: (
        "Share the work among processes with a loop each, do less per event, or try uvloop, whose"
        " own part of each step is smaller."
    ),
    Flavour.GREENLET: "Share the work among processes with a hub each, or do less per event.",
    Flavour.TWISTED: "Share the work among processes with a reactor each, or do less per event.",
}


def check(case: Case) -> Iterable[Answer]:
    """Measure how busy loops were, and whether single steps are the reason."""
    figures, busiest = case.loops, 0.0
    steps, free_ns = figures.tasks.steps, figures.free_ns
    for number, loop in enumerate(figures.tasks.loops):
        lived = loop.end_ns - loop.start_ns
        if lived < SHARE * case.wall_ns or lived <= 0:
            continue
        busy_ns = max(loop.in_ns - loop.idle_ns, 0)
        utilisation = min(busy_ns / lived, 1.0)
        busiest = max(busiest, utilisation)
        long_ns = int(free_ns[(free_ns >= SLOW_NS) & (steps.loop == number)].sum())
        late_ns, late = _lateness(case, number)
        severity = BUSY.judge(utilisation)
        if severity is Severity.OK or late_ns < LATE_NS or long_ns > LONG_STEPS * busy_ns:
            continue
        handled = loop.steps + loop.callbacks
        yield Answer(
            severity,
            f"An event loop was busy {share_text(utilisation)} of its time with"
            f" {count_text(handled)} short steps; {late}.",
            "No single step is to blame.",
            advice(case, number, _REMEDY),
            tuple(_hottest(case, number)),
            (loop.start_ns - case.whole.start_ns, loop.end_ns - case.whole.start_ns),
            {"utilisation": utilisation, "late_ns": late_ns, "steps": handled},
            gain_ns=round(busy_ns * (1 - 1 / max(case.cores, 1))),
            cause=Cause.LOOP,
            thing=f"loop {number}",
        )
    yield fine("No event loop had more to do than it could.", busiest=busiest)


def _lateness(case: Case, number: int) -> tuple[int, str]:
    """Tell how late a loop is with what it runs, and the same in words."""
    loop = case.loops.tasks.loops[number]
    if loop.flavour is Flavour.ASYNCIO:
        late_ns = percentile_ns(loop.lag, 0.5)
        return late_ns, f"half of them began {time_text(late_ns)} late or more"
    late_ns = _round_ns(case, number)
    return late_ns, f"a turn for each of its tasks takes about {time_text(late_ns)}"


def _round_ns(case: Case, number: int) -> int:
    """Estimate how long it takes until all tasks that live on a loop had a turn.

    That is how late a task is on a busy loop of which nobody knows who was ready when.
    """
    found, loop = case.loops.tasks.tasks, case.loops.tasks.loops[number]
    mine = (found.loop == number) & ((found.flags & TaskFlag.GROUP) == 0)
    first = np.maximum(found.created_ns[mine], loop.start_ns)
    last = np.minimum(case.loops.figures.end_ns[mine], loop.end_ns)
    alive = float(np.maximum(last - first, 0).sum()) / max(loop.end_ns - loop.start_ns, 1)
    return round(alive * loop.steps_ns / max(loop.steps, 1))


def _hottest(case: Case, number: int) -> list[str]:
    """Name the coroutines in which the loop spent most time."""
    figures = case.loops.figures
    tasks = figures.trace.tasks
    mine = np.flatnonzero(tasks.loop == number)
    sums: dict[str, int] = {}
    for task in mine[np.argsort(-tasks.running_ns[mine])][:1000].tolist():
        function = figures.function(task)
        place = f"{function.file}:{function.line} in {function.name}"
        sums[place] = sums.get(place, 0) + int(tasks.running_ns[task])
    return sorted(sums, key=lambda place: -sums[place])[:3]


RULE = Rule("loop-saturation", frozenset({Part.TASKS}), check)
