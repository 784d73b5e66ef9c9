"""Fewer and larger messages between processes."""

from __future__ import annotations

from concurtrace.analysis.replay import Does, Step, Worker
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict, with_steps
from concurtrace.model.report import Prediction

TIMES = 10
"""How many of today's messages travel in one."""
PER_MESSAGE = Guess(0.7, 0.3, 1.0)
"""Share of the cost of passing messages that each brings however small it is: locks, system calls
and wake-ups, which fewer messages save. What its bytes cost stays."""


def predict_chunks(case: Case, packing: float) -> Prediction | None:
    """Predict messages ten times as large; ``packing`` is the share of all work that they cost."""
    if not 0 < packing <= 1:
        return None

    def change(base: Replayed, fixed: float) -> Changed:
        left = 1 - packing * fixed * (1 - 1 / TIMES)

        def steps(worker: Worker) -> tuple[Step, ...]:
            return tuple(
                step._replace(ns=round(step.ns * left))
                if step.does in (Does.PYTHON, Does.NATIVE)
                else step
                for step in worker.steps
            )

        return Changed(with_steps(base.program, steps), base.rules)

    said = ("the pieces of work can travel together", "no one waits for a single piece")
    return predict(case.replayed, f"{TIMES} times as much in a message", change, PER_MESSAGE, said)
