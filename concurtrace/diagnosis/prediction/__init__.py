"""What a change would bring: the recorded run, replayed under other rules.

First the run is replayed as it was. How far that is from the measured time is the error of the
model, and stands beside every prediction. A prediction's range comes from replays with the costs
that the run itself cannot tell (of starting a process, say) at their worst and at their best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from concurtrace.analysis.replay import Program, Rules, Step, Worker, replay
from concurtrace.analysis.unchanged import Replayed as Replayed
from concurtrace.model.report import Prediction
from concurtrace.units import share_text, time_text

WORST_ERROR = 0.25
"""A model that misses the run itself by more says nothing about another."""
LOADED = 0.5
"""Threads of other programs, each wanting a core all the time: from here on they matter."""
FOLDED = 0.1
"""Share of the threads' time without its order from which a replay rests on a guess of it."""
LEAST_ERROR = 0.03
"""Two runs of one program differ by a few percent on a quiet machine: no range is narrower."""


@dataclass(frozen=True)
class Changed:
    """A program and rules after a change."""

    program: Program
    rules: Rules


@dataclass(frozen=True)
class Guess:
    """A cost that the run does not tell: most likely, at its worst, at its best."""

    likely: float
    worst: float
    best: float


Change = Callable[[Replayed, float], Changed | None]


def predict(
    base: Replayed | None,
    what_if: str,
    change: Change,
    guess: Guess,
    assumptions: tuple[str, ...],
) -> Prediction | None:
    """Replay a run after a change; None where the model does not even fit the run itself."""
    if base is None or abs(base.error) > WORST_ERROR:
        return None
    speeds = []
    for cost in (guess.likely, guess.worst, guess.best):
        changed = change(base, cost)
        took = replay(changed.program, changed.rules) if changed else None
        if not took:
            return None
        speeds.append(base.took_ns / took)
    if base.rules.others > LOADED:
        assumptions = (*assumptions, "other programs take as much of the cores as they did")
    if base.folded >= FOLDED:
        share = share_text(base.folded)
        assumptions = (*assumptions, f"{share} of the time, known as sums only, passed evenly")
    if base.part < 1:
        passed = time_text(base.wall_ns)
        assumptions = (*assumptions, f"all of the run is like the {passed} in its middle")
    spread = max(abs(base.error), LEAST_ERROR)
    return Prediction(
        what_if,
        speeds[0],
        min(speeds) / (1 + spread),
        max(speeds) * (1 + spread),
        assumptions,
        base.error,
    )


def with_steps(program: Program, change: Callable[[Worker], tuple[Step, ...]]) -> Program:
    """Change the steps of every worker."""
    workers = tuple(replace(one, steps=change(one)) for one in program.workers)
    return replace(program, workers=workers)
