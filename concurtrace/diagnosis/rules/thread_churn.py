"""Threads are created again and again for little work each.

Creating and joining a thread costs some hundred microseconds. A pool creates its threads once.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.core_use import peak
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import count_text, significant, time_text

FEWEST = 30
"""Threads: fewer are a crew, not a habit."""
PER_SECOND = 10
"""Creations per second (JMC counts process starts likewise)."""
COST_NS = 250_000
"""Creating, starting and joining an empty thread: 0.19 ms to 0.26 ms on a two-core machine."""
WORTH = 10
"""A thread should do ten times what it costs."""
PARTLY = 0.5
"""Share of the threads that may be longer than that."""


def check(case: Case) -> Iterable[Answer]:
    """Count threads and compare what they did with what a thread costs."""
    made = [one for one in case.trace.threads if not one.is_main and one.lifetime_ns > 0]
    rate = len(made) / (case.wall_ns / 1e9)
    if len(made) < FEWEST or rate < PER_SECOND:
        yield fine("Threads were not created over and over.", threads=len(made))
        return
    lives = np.array([one.lifetime_ns for one in made], np.int64)
    together = _at_once(case)
    if together > PARTLY * len(made):
        yield fine("All threads lived at the same time: a crew.", threads=len(made))
        return
    used = np.array([case.cpu_of(one) for one in made], np.int64)
    poor = float((used < WORTH * COST_NS).mean())
    typical = int(np.median(used))
    yield Answer(
        Severity.WARNING if poor > PARTLY else Severity.INFO,
        f"{count_text(len(made))} threads were created, {significant(rate)} a second; half of them"
        f" used the CPU for less than {time_text(typical)}.",
        f"A thread lived {time_text(int(np.median(lives)))} and costs about"
        f" {time_text(COST_NS)} to create and join; at most {together} lived at once.",
        "Hand the work to a ThreadPoolExecutor, whose threads are created once.",
        case.sampled(),
        evidence={"threads": len(made), "per_second": rate, "median_cpu_ns": typical},
        gain_ns=min(len(made) * COST_NS, case.wall_ns),
        cause=Cause.START,
        thing="threads",
    )


def _at_once(case: Case) -> int:
    lives = [(one.start_ns, one.end_ns) for one in case.trace.threads if not one.is_main]
    return peak(lives)


RULE = Rule("thread-churn", frozenset({Part.STATES}), check)
