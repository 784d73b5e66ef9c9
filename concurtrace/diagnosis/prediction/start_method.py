"""Processes that are started in another way: forked, by a fork server, or as new interpreters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.crew import within
from concurtrace.analysis.replay import START, Does, Step, Worker
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict, with_steps
from concurtrace.model.recording import Function
from concurtrace.model.report import Prediction
from concurtrace.model.trace import Process, Trace
from concurtrace.recording.reasons import standard_module

COMES_UP_NS: Mapping[str, int] = {
    "fork": 3_000_000,
    "forkserver": 15_000_000,
    "spawn": 75_000_000,
}
"""CPU time of a process beside its work, measured with small programs."""
ENDS_NS: Mapping[str, int] = {"fork": 0, "spawn": 15_000_000}
"""What of it comes after the work: only an interpreter of its own is taken down in order."""
SERVER_NS = 60_000_000
"""What a fork server takes to come up itself, once, while its parent waits for it."""
UNKNOWN = Guess(1.0, 3.0, 0.5)
"""By how much these may differ: with what is imported, and with the memory that is copied."""
ASSUMPTIONS: Mapping[str, tuple[str, ...]] = {
    "fork": (
        "no thread runs when processes are forked",
        "modules are imported before the first fork",
    ),
    "forkserver": ("what processes are given can be pickled", "their modules import quickly"),
    "spawn": ("what processes are given can be pickled", "their modules import quickly"),
}


def predict_fork(case: Case) -> Prediction | None:
    """Predict spawned processes as forked ones."""
    return _predict(case, "fork")


def predict_forkserver(case: Case) -> Prediction | None:
    """Predict processes of multiprocessing as those of a fork server."""
    return _predict(case, "forkserver")


def predict_spawn(case: Case) -> Prediction | None:
    """Predict processes of multiprocessing as new interpreters."""
    return _predict(case, "spawn")


def _predict(case: Case, method: str) -> Prediction | None:
    """Predict another start method; None without children of multiprocessing, or if it is theirs.

    Also of those of a fork server: for whom that waits, its recording does not tell. What others
    did until they came to their work is taken off.
    """
    children = _children(case.trace)
    theirs = {one.started_by for one in children}
    if case.replayed is None or case.replayed.part < 1 or len(theirs) != 1:
        return None
    (was,) = theirs
    if was == method or was not in ENDS_NS:
        return None
    before = {one.first: before_work_ns(case.trace, one) for one in children}
    first = min(before, key=lambda row: case.trace.threads[row].start_ns)

    def change(base: Replayed, scale: float) -> Changed:
        def steps(worker: Worker) -> tuple[Step, ...]:
            if worker.row not in before:
                return worker.steps
            more = COMES_UP_NS[method]
            if worker.row == first and method == "forkserver":
                more += SERVER_NS
            kept = lessened(worker.steps[::-1], ENDS_NS[was])[::-1]
            return begun_otherwise(kept, before[worker.row], round(more * scale))

        return Changed(with_steps(base.program, steps), base.rules)

    return predict(case.replayed, method, change, UNKNOWN, ASSUMPTIONS[method])


def _children(trace: Trace) -> tuple[Process, ...]:
    """List the processes that multiprocessing started and that came to their work."""
    if not within(trace.stacks, _is_bootstrap).any():
        # What a program forks by itself can't be started in another way.
        return ()
    return tuple(
        one
        for one in trace.processes
        if one.parent is not None
        and one.started_by in COMES_UP_NS
        and one.work_ns is not None
        and one.first < one.last
    )


def _is_bootstrap(function: Function) -> bool:
    in_module = standard_module(function.file) == "multiprocessing/process"
    return in_module and function.name == "BaseProcess._bootstrap"


def before_work_ns(trace: Trace, process: Process) -> int:
    """Return what the first thread of a process computed before it came to its work."""
    spans = trace.spans_of(trace.threads[process.first])
    ns = np.minimum(spans.end_ns, process.work_ns or 0) - spans.start_ns
    return int(np.maximum(ns, 0)[spans.in_state(*WORKING)].sum())


def begun_otherwise(steps: tuple[Step, ...], before_ns: int, more_ns: int) -> tuple[Step, ...]:
    """Take off what was done first, waits included, and put other work in its place.

    ``before_ns`` is how much of it was computing.
    """
    started = [n for n, one in enumerate(steps) if one.does is Does.WAIT and one.object == START]
    place = started[0] + 1 if started else 0
    made = list(steps[:place])
    if more_ns > 0:
        made.append(Step(Does.PYTHON, more_ns))
    for step in steps[place:]:
        if before_ns > 0:
            if step.does in (Does.DELAY, Does.KEEPS_GIL):
                continue
            step, before_ns = _shortened(step, before_ns)
        made.append(step)
    return tuple(made)


def lessened(steps: tuple[Step, ...], less_ns: int) -> tuple[Step, ...]:
    """Take so much computing off the first steps."""
    made = []
    for step in steps:
        step, less_ns = _shortened(step, less_ns)
        made.append(step)
    return tuple(made)


def _shortened(step: Step, less_ns: int) -> tuple[Step, int]:
    if step.does not in (Does.PYTHON, Does.NATIVE):
        return step, less_ns
    taken = min(less_ns, step.ns)
    return step._replace(ns=step.ns - taken), less_ns - taken
