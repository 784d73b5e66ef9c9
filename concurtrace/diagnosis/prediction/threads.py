"""Processes, or one thread, or one event loop, become threads under one GIL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from concurtrace.analysis.crew import handing_stacks, message_stacks
from concurtrace.analysis.once import once_ns, share_in
from concurtrace.analysis.replay import HANDOVER_NS, START, Does, Program, Step
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict
from concurtrace.diagnosis.prediction.loops import is_loop
from concurtrace.diagnosis.prediction.processes import HANDED, work_times
from concurtrace.diagnosis.prediction.start_method import (
    before_work_ns,
    begun_otherwise,
    lessened,
)
from concurtrace.diagnosis.prediction.workers import divided
from concurtrace.model.report import Prediction
from concurtrace.model.trace import Trace

UNEVEN = Guess(1.0, 1.2, 0.9)
"""By how much the work may cost more or less in threads: switches on the one hand, nothing to
pickle on the other."""
SWITCH = Guess(1.0, 3.0, 0.3)
"""How many switches of threads each turn of an event loop becomes."""


def predict_threads(case: Case) -> Prediction | None:
    """Predict what is no threads as threads; None where it is."""
    base = case.replayed
    if base is None or not case.trace.gil:
        return None
    if any(one.started_by == "forkserver" for one in case.trace.processes):
        # For whom the server waits, its recording does not tell.
        return None
    if len({one.process for one in case.workers}) > 1:
        less = _children(case.trace) if base.part == 1 else {}
        stacks = case.trace.stacks
        messages = share_in(case.trace, message_stacks(stacks) | handing_stacks(stacks))
        cheaper = (1 - messages * (1 - 1 / HANDED)).tolist()
        return predict(
            base,
            "threads",
            lambda base, dearer: _merged(base, dearer, less, cheaper),
            UNEVEN,
            ("what processes do can share memory",),
        )
    if len(base.program.workers) != 1:
        return None
    if is_loop(case):
        as_many = ("as much waits at once as in the loop", "each task becomes a thread")
        return predict(base, "threads", _unlooped, SWITCH, as_many)
    many = case.workers_wanted
    if divided(base.program, many) is None:
        return None

    def change(base: Replayed, dearer: float) -> Changed | None:
        split = divided(base.program, many)
        return Changed(_dearer(split, dearer), base.rules) if split else None

    return predict(
        base, "threads", change, UNEVEN, (f"all of the work can be divided among {many}",)
    )


def _children(trace: Trace) -> Mapping[int, tuple[int, int]]:
    """Return by rows of threads what children computed that threads need not.

    Until they came to their work; and what a process does once, of which each keeps its share.
    """
    children = [one for one in trace.processes if one.parent is not None and one.first < one.last]
    once = once_ns(trace, imports=True)
    spared = 1 - 1 / max(len(children), 1)
    return {
        one.first: (before_work_ns(trace, one), round(int(once[one.first]) * spared))
        for one in children
    }


def _merged(
    base: Replayed, dearer: float, less: Mapping[int, tuple[int, int]], cheaper: Sequence[float]
) -> Changed:
    home = base.program.workers[base.program.last].process
    workers = []
    for one in base.program.workers:
        before_ns, once = less.get(one.row, (0, 0))
        steps = begun_otherwise(_at_once(one.steps), before_ns, 0)
        workers.append(replace(one, process=home, steps=lessened(steps, once)))
    made = work_times(replace(base.program, workers=tuple(workers)), cheaper)
    return Changed(_dearer(made, dearer), base.rules)


def _at_once(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Leave out what a process takes to come up: a thread is there at once."""
    comes_up = (
        len(steps) > 1
        and steps[0].does is Does.WAIT
        and steps[0].object == START
        and steps[1].does is Does.DELAY
    )
    return (steps[0], *steps[2:]) if comes_up else steps


def _dearer(program: Program, by: float) -> Program:
    def longer(step: Step) -> Step:
        return step._replace(ns=round(step.ns * by)) if step.does is Does.PYTHON else step

    workers = tuple(
        replace(one, steps=tuple(longer(step) for step in one.steps)) for one in program.workers
    )
    return replace(program, workers=workers)


def _unlooped(base: Replayed, switches: float) -> Changed:
    """Let every turn of the loop cost the wake-up of a thread."""
    extra = round(HANDOVER_NS * switches)
    (loop,) = base.program.workers
    steps: list[Step] = []
    for step in loop.steps:
        steps.append(step)
        if step.does is Does.DELAY and step.object != START:
            steps.append(Step(Does.PYTHON, extra))
    workers = (replace(loop, steps=tuple(steps)),)
    return Changed(replace(base.program, workers=workers), base.rules)
