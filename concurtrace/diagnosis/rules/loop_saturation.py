"""An event loop has more to do than one thread can.

No single step is to blame: there are so many that the loop hardly ever waits, and everything it
runs is late.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.tasks import percentile_ns
from concurtrace.units import count_text, share_text, time_text

BUSY = Limits(0.9, 0.95)
"""Utilisation: Clinic.js doctor calls a loop saturated from 95 % on."""
LATE_NS = 1_000_000
"""Typical lateness below which a busy loop still serves everybody at once."""
LONG_STEPS = 0.3
"""Share of its work in steps over 10 ms from which these are the cause, not the number."""
SHARE = 0.2
"""A loop that lived for a smaller share of the run does not decide about it."""


def check(case: Case) -> Iterable[Answer]:
    """Measure how busy loops were, and whether single steps are the reason."""
    figures, busiest = case.loops, 0.0
    steps, slow = figures.tasks.steps, figures.slow()
    for number, loop in enumerate(figures.tasks.loops):
        lived = loop.end_ns - loop.start_ns
        if lived < SHARE * case.wall_ns or lived <= 0:
            continue
        busy_ns = max(loop.in_ns - loop.idle_ns, 0)
        utilisation = min(busy_ns / lived, 1.0)
        busiest = max(busiest, utilisation)
        long_ns = int(steps.dur_ns[slow][steps.loop[slow] == number].sum())
        median_ns = percentile_ns(loop.lag, 0.5)
        severity = BUSY.judge(utilisation)
        if severity is Severity.OK or median_ns < LATE_NS or long_ns > LONG_STEPS * busy_ns:
            continue
        handled = loop.steps + loop.callbacks
        yield Answer(
            severity,
            f"An event loop was busy {share_text(utilisation)} of its time with"
            f" {count_text(handled)} short steps; half of them began {time_text(median_ns)} late or"
            " more.",
            f"On average {loop.ready_sum / max(loop.iterations, 1):.1f} were ready in a round; no"
            " single step is to blame.",
            "Share the work among processes with a loop each, do less per event, or try uvloop,"
            " whose own part of each step is smaller.",
            tuple(_hottest(case, number)),
            (loop.start_ns - case.whole.start_ns, loop.end_ns - case.whole.start_ns),
            {"utilisation": utilisation, "median_late_ns": median_ns, "steps": handled},
            gain_ns=round(busy_ns * (1 - 1 / max(case.cores, 1))),
            cause=Cause.LOOP,
            thing=f"loop {number}",
        )
    yield fine("No event loop had more to do than it could.", busiest=busiest)


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
