"""Of tasks gathered together one takes far longer than the others, which wait for it.

``gather`` and a TaskGroup end with their slowest child; what comes next could begin with the
results of the others, or the slow one start first.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.tasks import NOBODY
from concurtrace.units import significant, time_text

RATIO = 3.0
"""Longest life over the median: below it is the spread that is to be expected."""
FEWEST = 3
"""Children: of two one is always the slower."""
SHARE = Limits(0.1, 0.3)
"""Share of the run in which only the slowest was left."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the lives of tasks that were gathered together or made by one TaskGroup."""
    figures = case.loops.figures
    told = False
    worst: tuple[int, NDArray[np.intp]] | None = None
    for rows in _groups(case):
        tasks = figures.trace.tasks
        lives = figures.end_ns[rows] - tasks.created_ns[rows]
        ends = np.sort(figures.end_ns[rows])
        alone = int(ends[-1] - ends[-2])
        if int(lives.max()) < RATIO * float(np.median(lives)):
            continue
        if worst is None or alone > worst[0]:
            worst = alone, rows
    if worst is not None and worst[0] >= SHARE.info * case.wall_ns:
        told = True
        yield _answer(case, *worst)
    if not told:
        yield fine("Tasks that were gathered ended about together.")


def _groups(case: Case) -> list[NDArray[np.intp]]:
    """List the tasks of each gather and of each TaskGroup."""
    tasks, stacks = case.loops.tasks.tasks, case.loops.tasks.stacks
    groups: dict[tuple[int, int, int], list[int]] = {}
    in_group: dict[int, bool] = {}
    for row in range(len(tasks)):
        gathering, parent = int(tasks.gathering[row]), int(tasks.parent[row])
        if gathering:
            groups.setdefault((int(tasks.process[row]), gathering, 0), []).append(row)
        elif parent != NOBODY:
            stack = int(tasks.made_at[row])
            if stack not in in_group:
                in_group[stack] = any(
                    frame.function.name == "TaskGroup.create_task"
                    for frame in stacks.frames(stack)[:4]
                )
            if in_group[stack]:
                groups.setdefault((parent, 0, 1), []).append(row)
    return [np.array(rows, np.intp) for rows in groups.values() if len(rows) >= FEWEST]


def _answer(case: Case, alone_ns: int, rows: NDArray[np.intp]) -> Answer:
    figures = case.loops.figures
    tasks = figures.trace.tasks
    lives = figures.end_ns[rows] - tasks.created_ns[rows]
    last = int(rows[np.argmax(figures.end_ns[rows])])
    place = figures.places.of(int(tasks.waits_at[last]))
    ratio = float(lives.max()) / max(float(np.median(lives)), 1.0)
    start_ns = int(np.sort(figures.end_ns[rows])[-2]) - case.whole.start_ns
    return Answer(
        SHARE.judge(alone_ns / max(case.wall_ns, 1)),
        f"Of {len(rows)} tasks that were awaited together, {figures.coroutine(last)}"
        f" ({figures.name(last)}) took {significant(ratio)} times as long as the middle one and was"
        f" alone for the last {time_text(alone_ns)}.",
        f"It waited at {place}." if place else "",
        "Go on with each result as it comes (asyncio.as_completed), start the slow one first, or"
        " split it.",
        tuple(one for one in (place, figures.made_at(last)) if one),
        (start_ns, start_ns + alone_ns),
        {"tasks": len(rows), "ratio": ratio, "alone_ns": alone_ns},
        gain_ns=alone_ns,
        cause=Cause.WORK,
        thing=figures.coroutine(last),
    )


RULE = Rule("gather-straggler", frozenset({Part.TASKS}), check)
