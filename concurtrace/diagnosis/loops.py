"""What the rules about event loops share: steps that held a loop up, by the place to blame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.loop_replay import MOST_STEPS, Change, LoopReplay
from concurtrace.analysis.task_path import awaited_places
from concurtrace.analysis.task_steps import loop_rows
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Prediction
from concurtrace.model.states import Reason
from concurtrace.model.task_report import BlockedStep
from concurtrace.model.tasks import Flavour

TOLD = 3
"""Places told by one rule: more are for the table of loops."""
_OTHERS = 2
"""Tasks that go on after one that runs long: one of them may be who waited for it."""
_DESCRIBED = 200
"""Steps looked at one by one, the longest first: what is left is shorter than all of them."""


@dataclass(frozen=True)
class Culprit:
    """A place whose steps held a loop up: how often, how long, and what others lost by it.

    ``worst`` is its longest step; ``window_ns`` from the first to the last, from the run's start.
    ``steps`` are rows of the steps. ``harmful`` says that others lost by it: they were ready
    meanwhile, or did the same one after the other, or could not be heard of.
    """

    where: str
    count: int
    ns: int
    late_ns: int
    held_ns: int
    worst: BlockedStep
    window_ns: tuple[int, int]
    steps: tuple[int, ...]
    harmful: bool


def culprits(case: Case, steps: NDArray[np.intp]) -> list[Culprit]:
    """Group steps by the place to blame; those that lasted longest together first."""
    zero_ns = case.whole.start_ns
    groups: dict[str, list[BlockedStep]] = {}
    rows: dict[str, list[int]] = {}
    for step in steps[:_DESCRIBED].tolist():
        one = case.loops.describe(step, zero_ns)
        groups.setdefault(one.where, []).append(one)
        rows.setdefault(one.where, []).append(step)
    found = [_culprit(case, where, group, rows[where]) for where, group in groups.items()]
    return sorted(found, key=lambda one: -one.ns)


def _culprit(case: Case, where: str, steps: list[BlockedStep], rows: list[int]) -> Culprit:
    many = len(np.unique(case.loops.tasks.steps.task[rows])) > 1
    harmful = many or _unheard(case, rows[0])
    ns = sum(one.ns for one in steps)
    late = sum(one.late_ns for one in steps)
    return Culprit(
        steps=tuple(rows),
        harmful=harmful or late > 0,
        where=where,
        count=len(steps),
        ns=ns,
        late_ns=late,
        held_ns=ns if harmful else sum(one.ns for one in steps if one.late),
        worst=max(steps, key=lambda one: one.ns),
        window_ns=(
            min(one.start_ns for one in steps),
            max(one.start_ns + one.ns for one in steps),
        ),
    )


def _unheard(case: Case, step: int) -> bool:
    """Tell whether several others went on later on a loop of which nobody knows who was ready."""
    tasks, steps = case.loops.tasks, case.loops.tasks.steps
    loop = int(steps.loop[step])
    if loop < 0 or tasks.loops[loop].flavour is Flavour.ASYNCIO:
        return False
    later = tasks.tasks.loop == loop
    later &= case.loops.figures.end_ns > steps.end_ns[step]
    return int(later.sum()) > _OTHERS


def advice(case: Case, loop: int, words: Mapping[Flavour, str]) -> str:
    """Choose what to try by whose loop it is; what holds for asyncio where that is not known."""
    loops = case.loops.tasks.loops
    # What Twisted runs before its reactor does belongs to no loop yet.
    flavours = [loops[loop].flavour] if loop >= 0 else [one.flavour for one in loops]
    return next((words[one] for one in flavours if one in words), words[Flavour.ASYNCIO])


def idle_places(case: Case) -> dict[int, str]:
    """Name what the tasks of a loop awaited, for the spans of the path in which it was idle."""
    tasks = case.loops.tasks
    if not len(tasks.steps) or not len(case.trace.spans):
        return {}
    spans, path = case.trace.spans, case.path
    loops = loop_rows(tasks, case.trace)
    idle = (spans.reason == Reason.POLL.code) & np.isin(case.trace.span_threads, loops)
    rows = np.unique(path.span[idle[path.span]])
    middles = spans.start_ns[rows] + spans.dur_ns[rows] // 2
    places = case.loops.figures.places
    told = zip(rows.tolist(), awaited_places(tasks, middles.tolist()), strict=True)
    return {row: place for row, stack in told if (place := places.of(stack)) is not None}


def foretell(
    case: Case, what_if: str, loop: int, change: Change, assumptions: Iterable[str]
) -> Prediction | None:
    """Predict by replay of one loop; None where it has too many steps, or too few were kept."""
    tasks = case.loops.tasks
    kept = sum(one.steps_kept for one in tasks.processes)
    if loop < 0 or len(tasks.steps) > MOST_STEPS or not kept or not case.wall_ns:
        return None
    replay = LoopReplay(tasks, loop)
    unchanged, changed = replay.run(), replay.run(change)
    if not unchanged or not replay.measured_ns:
        return None
    error = unchanged / replay.measured_ns - 1
    gain = (unchanged - changed) / unchanged * replay.measured_ns / case.wall_ns
    speedup = 1 / max(1 - gain, 0.01)
    spread = abs(error) * speedup
    low, high = max(speedup - spread, 1.0), speedup + spread
    return Prediction(what_if, speedup, min(low, speedup), high, tuple(assumptions), error)
