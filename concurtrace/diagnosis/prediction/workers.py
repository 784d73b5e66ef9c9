"""More or fewer workers: the same work dealt out anew, as if it could be cut anywhere."""

from __future__ import annotations

from dataclasses import replace

from concurtrace.analysis.replay import START, Does, Program, Step, Worker
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction import Changed, Guess, Replayed, predict
from concurtrace.model.report import Prediction

UNEVEN = Guess(1.0, 1.15, 1.0)
"""By how much the longest share may be longer than the mean one: work is dealt in pieces."""
START_NS = 200_000
"""What starting a thread costs the one that starts it."""
MOST = 4096
"""Shares: more workers than that are no question of speed."""


def predict_workers(case: Case, rows: tuple[int, ...], many: int) -> Prediction | None:
    """Predict a crew (rows of threads in the trace) of another size."""
    base = case.replayed
    if base is None or many == len(rows) or not 0 < many <= MOST:
        return None

    def change(base: Replayed, uneven: float) -> Changed | None:
        dealt = resized(base.program, set(rows), many, uneven)
        return Changed(dealt, base.rules) if dealt else None

    said = ("the work can be divided among them evenly", "what they wait for stands that many")
    return predict(base, f"{many} workers", change, UNEVEN, said)


def divided(program: Program, many: int) -> Program | None:
    """Deal the work of the only worker out among several; None where it is not the only one."""
    if len(program.workers) != 1 or not 1 < many <= MOST:
        return None
    (alone,) = program.workers
    edges = range(2 * many)
    shares = tuple(
        Worker(
            -1,
            alone.process,
            (
                Step(Does.WAIT, edge=edges[2 * n], object=START),
                *(step._replace(ns=step.ns // many) for step in alone.steps if step.edge < 0),
                Step(Does.SIGNAL, edge=edges[2 * n + 1]),
            ),
        )
        for n in range(many)
    )
    starts = [Step(Does.SIGNAL, edge=edges[2 * n], object=START) for n in range(many)]
    joins = [Step(Does.WAIT, edge=edges[2 * n + 1]) for n in range(many)]
    begin = [step for start in starts for step in (Step(Does.PYTHON, START_NS), start)]
    main = Worker(alone.row, alone.process, (*begin, *joins))
    return Program((main, *shares), 0)


def resized(program: Program, rows: set[int], many: int, uneven: float) -> Program | None:
    """Deal the work of a crew out among more or fewer; what they signal stays with the first."""
    crew = [one for one in program.workers if one.row in rows]
    if not crew or program.workers[program.last] in crew:
        return None
    ratio = len(crew) / many * uneven
    changed = [one for one in program.workers if one not in crew]
    kept = crew[:many]
    extra: list[list[Step]] = [[] for _ in kept]
    for place, one in enumerate(crew[many:]):
        # Those that are no more: what they did falls to the others.
        extra[place % many] += [s for s in one.steps if s.does is not Does.WAIT]
    for one, more in zip(kept, extra, strict=True):
        if more:
            changed.append(replace(one, steps=_merged(one.steps, more)))
        else:
            changed.append(replace(one, steps=_scaled(one.steps, min(1.0, ratio))))
    for number in range(len(crew), many):
        like = crew[number % len(crew)]
        steps = [s for s in like.steps if s.edge < 0 or (s.does is Does.WAIT and s.object == START)]
        done = Step(Does.SIGNAL, edge=_END - number)
        changed.append(Worker(-1, like.process, (*_scaled(tuple(steps), ratio), done)))
    last = program.workers[program.last]
    place = changed.index(last)
    if many > len(crew):
        changed[place] = _waits_for(last, [_END - n for n in range(len(crew), many)])
    return Program(tuple(changed), place)


_END = -2
"""Edges of workers that are made up count down from here."""


def _scaled(steps: tuple[Step, ...], by: float) -> tuple[Step, ...]:
    return tuple(step._replace(ns=round(step.ns * by)) for step in steps)


def _merged(steps: tuple[Step, ...], more: list[Step]) -> tuple[Step, ...]:
    """Do what another did, before what comes last: the signal that all is done."""
    end = len(steps)
    while end and steps[end - 1].does is Does.SIGNAL:
        end -= 1
    return (*steps[:end], *more, *steps[end:])


def _waits_for(worker: Worker, edges: list[int]) -> Worker:
    """Let the one that waits for the crew wait for those that are made up as well."""
    waits = [n for n, one in enumerate(worker.steps) if one.does is Does.WAIT]
    after = waits[-1] + 1 if waits else len(worker.steps)
    more = tuple(Step(Does.WAIT, edge=edge) for edge in edges)
    return replace(worker, steps=(*worker.steps[:after], *more, *worker.steps[after:]))
