"""What the rules about event loops share: steps that held a loop up, by the place to blame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.task_steps import lateness
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Prediction
from concurtrace.model.task_report import BlockedStep

TOLD = 3
"""Places told by one rule: more are for the table of loops."""
_DESCRIBED = 200
"""Steps looked at one by one, the longest first: what is left is shorter than all of them."""


@dataclass(frozen=True)
class Culprit:
    """A place whose steps held a loop up: how often, how long, and what others lost by it.

    ``worst`` is its longest step; ``window_ns`` from the first to the last, from the run's start.
    """

    where: str
    count: int
    ns: int
    late_ns: int
    held_ns: int
    worst: BlockedStep
    window_ns: tuple[int, int]


def culprits(case: Case, steps: NDArray[np.intp]) -> list[Culprit]:
    """Group steps by the place to blame; those that lasted longest together first."""
    zero_ns = case.whole.start_ns
    told = [case.loops.describe(int(step), zero_ns) for step in steps[:_DESCRIBED]]
    groups: dict[str, list[BlockedStep]] = {}
    for one in told:
        groups.setdefault(one.where, []).append(one)
    found = [_culprit(where, group) for where, group in groups.items()]
    return sorted(found, key=lambda one: -one.ns)


def _culprit(where: str, steps: list[BlockedStep]) -> Culprit:
    return Culprit(
        where=where,
        count=len(steps),
        ns=sum(one.ns for one in steps),
        late_ns=sum(one.late_ns for one in steps),
        held_ns=sum(one.ns for one in steps if one.late),
        worst=max(steps, key=lambda one: one.ns),
        window_ns=(
            min(one.start_ns for one in steps),
            max(one.start_ns + one.ns for one in steps),
        ),
    )


def late_ns(case: Case, steps: NDArray[np.intp]) -> int:
    """Return how long others were ready while some steps ran."""
    return int(lateness(case.loops.tasks.steps, steps[:_DESCRIBED])[1].sum())


def without(case: Case, what_if: str, gain_ns: int, assumptions: Iterable[str]) -> Prediction:
    """Predict what the run gains if some of its time goes: at most that, at least nothing."""
    wall_ns = max(case.wall_ns, 1)
    gain_ns = min(max(gain_ns, 0), round(0.99 * wall_ns))
    high = wall_ns / (wall_ns - gain_ns)
    return Prediction(what_if, (1 + high) / 2, 1.0, high, tuple(assumptions), 0.0)
