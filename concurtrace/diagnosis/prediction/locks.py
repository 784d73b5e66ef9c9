"""A lock that is not there, or that nobody holds while asleep."""

from __future__ import annotations

from concurtrace.analysis.contention import BLOCKED, ContendedLock
from concurtrace.analysis.replay import Does, Step, Worker
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict, with_steps
from concurtrace.model.report import Prediction

TAKEN_NS = 120
"""What taking and leaving a free lock costs in Python."""
SAVED = Guess(1.0, 0.0, 1.5)
"""How much of that is saved: none if another lock takes its place."""
HOLDS = Guess(0.5, 2.0, 0.0)
"""How many holds of others each wait still lasts: half a one where threads come at random."""


def predict_without(case: Case, lock: ContendedLock) -> Prediction | None:
    """Predict a run in which nobody waits for a lock."""
    objects = set(lock.objects)

    def change(base: Replayed, saved: float) -> Changed:
        work = sum(
            step.ns
            for one in base.program.workers
            for step in one.steps
            if step.does is Does.PYTHON
        )
        spent = TAKEN_NS * lock.acquisitions * base.part
        cheaper = max(0.0, 1 - saved * spent / max(work, 1))

        def steps(worker: Worker) -> tuple[Step, ...]:
            kept = [s for s in worker.steps if not (s.does is Does.WAIT and s.object in objects)]
            return tuple(
                step._replace(ns=round(step.ns * cheaper)) if step.does is Does.PYTHON else step
                for step in kept
            )

        return Changed(with_steps(base.program, steps), base.rules)

    said = ("what it guards can be divided, or needs no lock",)
    return predict(case.replayed, f"without {lock.name}", change, SAVED, said)


def predict_outside(case: Case, lock: ContendedLock) -> Prediction | None:
    """Predict a run in which holders of a lock do not sleep or wait for input.

    A wait then lasts for what is left of a hold: what its holder computes.
    """
    objects = set(lock.objects)
    awake = 1 - lock.holder_share(*BLOCKED)
    hold = lock.hold_ns / max(lock.acquisitions, 1) * awake

    def change(base: Replayed, holds: float) -> Changed:
        def steps(worker: Worker) -> tuple[Step, ...]:
            return tuple(
                Step(Does.DELAY, round(hold * holds))
                if step.does is Does.WAIT and step.object in objects
                else step
                for step in worker.steps
            )

        return Changed(with_steps(base.program, steps), base.rules)

    said = ("what is waited for under the lock needs none",)
    what_if = f"no wait while holding {lock.name}"
    return predict(case.replayed, what_if, change, HOLDS, said)
