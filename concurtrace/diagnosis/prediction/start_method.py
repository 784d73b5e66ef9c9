"""Processes that are forked instead of started as new interpreters."""

from __future__ import annotations

from concurtrace.analysis.replay import Does, Step, Worker
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict, with_steps
from concurtrace.model.report import Prediction

FRESH_NS = 200_000_000
"""CPU time of a new interpreter until it comes to its work: 100 ms to 300 ms, measured."""
SAVED = Guess(1.0, 0.5, 1.4)
ASSUMPTIONS = (
    "no thread runs when processes are forked",
    "modules are imported before the first fork",
)


def predict_fork(case: Case) -> Prediction | None:
    """Predict spawned processes as forked ones; None where none was spawned."""
    main = {one.first for one in case.trace.processes if one.started_by == "spawn"}
    if not main:
        return None

    def change(base: Replayed, saved: float) -> Changed:
        def steps(worker: Worker) -> tuple[Step, ...]:
            return _sooner(worker.steps, saved) if worker.row in main else worker.steps

        return Changed(with_steps(base.program, steps), base.rules)

    return predict(case.replayed, "fork", change, SAVED, ASSUMPTIONS)


def _sooner(steps: tuple[Step, ...], saved: float) -> tuple[Step, ...]:
    """Take off what the interpreter did before its work."""
    left = round(FRESH_NS * saved)
    made = []
    for step in steps:
        if step.does in (Does.PYTHON, Does.NATIVE) and left > 0:
            taken = min(left, step.ns)
            left -= taken
            step = step._replace(ns=step.ns - taken)
        made.append(step)
    return tuple(made)
