"""Threads become processes: each has a GIL of its own, has to be started, and shares nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from concurtrace.analysis.crew import handing_stacks
from concurtrace.analysis.once import once_ns, share_in
from concurtrace.analysis.replay import START, Does, Program, Step, Worker
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict, with_steps
from concurtrace.diagnosis.prediction.loops import is_loop
from concurtrace.diagnosis.prediction.start_method import begun_otherwise
from concurtrace.diagnosis.prediction.workers import divided
from concurtrace.model.report import Prediction
from concurtrace.model.spans import Times
from concurtrace.model.trace import ObjectKind

FORK_NS = 2_000_000
"""What its parent computes to fork a process."""
CHILD_NS = 3_000_000
"""What a forked process computes to come up and to end, beside its work."""
MESSAGE_NS = 30_000
"""What pickling and a pipe cost each side for a small message."""
HANDED = 10
"""How many times as much handing a piece of work to a process costs as to a thread: 130 us to
150 us of CPU time against 11 us to 16 us, measured with the standard library's executors."""
LOCK_NS = 250
"""What taking and leaving a lock between processes costs more than one between threads."""
UNKNOWN = Guess(1.0, 2.5, 0.3)
"""By how much these costs may differ from machine to machine and from payload to payload."""
ASSUMPTIONS = (
    "the pieces of work change no memory that others read",
    "what they hand over is small",
    "processes are forked",
)


def predict_processes(case: Case) -> Prediction | None:
    """Predict threads, or one thread, as processes; None where that is no change."""
    base = case.replayed
    if base is None or any(one.parent is not None for one in case.trace.processes):
        return None
    if is_loop(case):
        # Which of what a loop does belongs together, and could move, its waits do not tell.
        return None
    dealt = base.program
    assumptions: tuple[str, ...] = ASSUMPTIONS
    if len(dealt.workers) == 1:
        many = case.workers_wanted
        split = divided(dealt, many)
        if split is None:
            return None
        dealt = split
        assumptions = (f"all of the work can be divided among {many}", *ASSUMPTIONS)
    taken = round(_acquisitions(case) * base.part)
    handing = share_in(case.trace, handing_stacks(case.trace.stacks))
    again, fresh = once_ns(case.trace, imports=dealt is base.program), CHILD_NS
    if base.part < 1:
        # What is done once, and coming up, are at the start.
        again, fresh = np.zeros_like(again), 0

    def change(base: Replayed, scale: float) -> Changed:
        given = work_times(dealt, np.maximum(1.0, 1 + (HANDED * scale - 1) * handing).tolist())
        made = in_processes(given, scale, taken, again, round(fresh * scale))
        return Changed(made, base.rules)

    return predict(base, "processes", change, UNKNOWN, assumptions)


def in_processes(
    program: Program, scale: float, acquisitions: int, once: Times, fresh_ns: int
) -> Program:
    """Give every worker but the first one's thread a process of its own.

    To come up and to end each takes ``fresh_ns``.
    What threads did once for all of them (``once``, by rows of threads), each process does anew.
    """
    places = [place for place in range(len(program.workers)) if place != program.last]
    moved = [program.workers[place] for place in places]
    work = sum(_python_ns(one) for one in moved)
    lock_share = acquisitions * LOCK_NS * scale / work if work else 0.0
    mine = [_share(once, one, len(moved)) for one in moved]
    again = {place: round(sum(mine) - own) for place, own in zip(places, mine, strict=True)}
    started = {edge for one in moved for edge in _start_edges(one)}
    workers = []
    for place, one in enumerate(program.workers):
        steps: list[Step] = []
        for step in one.steps:
            if step.does is Does.SIGNAL and step.edge in started:
                steps.append(Step(Does.PYTHON, round(FORK_NS * scale)))
            elif step.edge >= 0 and step.object != START:
                steps.append(Step(Does.PYTHON, round(MESSAGE_NS * scale)))
            if step.does is Does.PYTHON and place != program.last:
                step = step._replace(ns=round(step.ns * (1 + lock_share)))
            steps.append(step)
        if place == program.last:
            workers.append(Worker(one.row, one.process, tuple(steps)))
            continue
        more = fresh_ns + again[place]
        workers.append(Worker(one.row, -1 - place, begun_otherwise(tuple(steps), 0, more)))
    return replace(program, workers=tuple(workers))


def work_times(program: Program, by: Sequence[float]) -> Program:
    """Let the work of every thread, by its row, take so many times as long."""

    def steps(one: Worker) -> tuple[Step, ...]:
        if one.row < 0 or by[one.row] == 1:
            return one.steps
        return tuple(
            step._replace(ns=round(step.ns * by[one.row])) if step.does is Does.PYTHON else step
            for step in one.steps
        )

    return with_steps(program, steps)


def _share(once: Times, worker: Worker, many: int) -> float:
    """Return what of a worker's work is done once; of a share of a thread's, as much of that."""
    return float(once[worker.row]) if worker.row >= 0 else float(once.sum()) / many


def _start_edges(worker: Worker) -> list[int]:
    return [s.edge for s in worker.steps if s.does is Does.WAIT and s.object == START]


def _python_ns(worker: Worker) -> int:
    return sum(step.ns for step in worker.steps if step.does is Does.PYTHON)


def _acquisitions(case: Case) -> int:
    """Count how often locks that threads competed for were taken."""
    return sum(
        one.acquisitions
        for one in case.trace.objects
        if one.kind is ObjectKind.LOCK and one.contended
    )
