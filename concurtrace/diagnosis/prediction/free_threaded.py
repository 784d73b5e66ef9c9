"""The same program in a Python without a GIL."""

from __future__ import annotations

from dataclasses import replace

from concurtrace.analysis.replay import Does, Step, Worker
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict, with_steps
from concurtrace.model.report import Prediction

SLOWER = Guess(1.2, 1.4, 1.05)
"""What Python code costs more in a free-threaded build: 40 % in 3.13 by CPython's own guide
(Doc/howto/free-threading-python.rst), 5 % to 10 % in 3.14."""
ASSUMPTIONS = (
    "no two threads change one object all the time: such objects have locks of their own there",
    "no extension turns the GIL on again",
)


def predict_free_threaded(case: Case) -> Prediction | None:
    """Predict threads without a GIL; an upper bound. None where threads did not share one."""
    if not case.trace.gil or len(case.trace.threads) < 2:
        return None
    threads = [one.process for one in case.workers]
    if len(threads) == len(set(threads)):
        return None
    return predict(case.replayed, "free-threaded", _change, SLOWER, ASSUMPTIONS)


def _change(base: Replayed, slower: float) -> Changed:
    def steps(worker: Worker) -> tuple[Step, ...]:
        return tuple(
            step._replace(ns=round(step.ns * slower)) if step.does is Does.PYTHON else step
            for step in worker.steps
        )

    return Changed(with_steps(base.program, steps), replace(base.rules, gil=False))
