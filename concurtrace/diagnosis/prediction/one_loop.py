"""Threads become the tasks of one event loop, where each goes on until it waits."""

from __future__ import annotations

from dataclasses import replace

from concurtrace.analysis.replay import FOREVER, Does, Step, Worker
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict, with_steps
from concurtrace.diagnosis.prediction.loops import is_loop
from concurtrace.model.report import Prediction

DEARER = Guess(1.0, 1.3, 0.7)
"""What the same work costs in coroutines and non-blocking sockets, by what the bundled programs
show: less without the switches of threads, more where much is awaited."""
ASSUMPTIONS = (
    "everything that waits can be awaited",
    "the libraries for it cost about as much CPU time",
)


def predict_one_loop(case: Case) -> Prediction | None:
    """Predict the threads of one process as tasks; None where there are none."""
    processes = {one.process for one in case.workers}
    shared = len(case.trace.threads) > 1 and len(processes) == len(case.trace.processes) == 1
    if not shared or not case.trace.gil or is_loop(case):
        return None
    return predict(case.replayed, "async", _change, DEARER, ASSUMPTIONS)


def _change(base: Replayed, dearer: float) -> Changed:
    def steps(worker: Worker) -> tuple[Step, ...]:
        return tuple(
            step._replace(ns=round(step.ns * dearer)) if step.does is Does.PYTHON else step
            for step in worker.steps
        )

    rules = replace(base.rules, switch_interval_ns=FOREVER, handover_ns=0)
    return Changed(with_steps(base.program, steps), rules)
