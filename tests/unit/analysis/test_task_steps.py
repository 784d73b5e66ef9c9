"""Steps within steps: each has its own time, and waits belong to the innermost."""

from typing import Any

import numpy as np
import pytest

from concurtrace.analysis.task_steps import blocking_calls, own_ns
from concurtrace.model.tasks import StepFlag, Steps, TaskTrace
from tests.builders_tasks import loop
from tests.builders_trace import MS, ZERO_NS, trace


def steps_of(*rows: tuple[float, float, bool]) -> Steps:
    """Make steps of one loop: start and end in ms, and whether they are nested."""
    columns: dict[str, Any] = {name: np.zeros(len(rows), kind) for name, kind in KINDS.items()}
    columns["start_ns"] += ZERO_NS + np.array([round(row[0] * MS) for row in rows])
    columns["end_ns"] += ZERO_NS + np.array([round(row[1] * MS) for row in rows])
    columns["flags"] += np.array([row[2] * StepFlag.NESTED for row in rows], np.uint8)
    return Steps(*columns.values())


KINDS = dict(zip(Steps.names(), Steps.kinds(), strict=True))


@pytest.mark.parametrize("many", [1, 10])
def test_a_round_of_many_steps_has_the_time_between_them(many: int) -> None:
    inner = [(10 * n + 1, 10 * n + 8, True) for n in range(many)]
    own = own_ns(steps_of((0, 100, False), *inner))
    assert (own // MS).tolist() == [100 - 7 * many, *[7] * many]


def test_steps_in_steps_in_steps_are_told_apart() -> None:
    rows = (
        (0, 20, False),
        (2, 12, True),
        (4, 6, True),
        (7, 8, True),
        (14, 15, True),
        (30, 31, False),
    )
    assert (own_ns(steps_of(*rows)) // MS).tolist() == [9, 7, 2, 1, 1, 1]


def test_a_wait_belongs_to_the_innermost_step_also_behind_many_others() -> None:
    made = (
        trace().thread("MainThread")
        .running(61).sleeps(5).running(10).sleeps(3).running(21).sleeps(5)
        .build()
    )  # fmt: skip
    inner = [(10 * n, 10 * n + 8, True) for n in range(7)]
    steps = steps_of((0, 100, False), *inner)
    tasks = TaskTrace(loops=(loop(ZERO_NS, made.threads[0].tid),), steps=steps)
    calls = blocking_calls(tasks, made)
    # From 61 on in the last nested step; from 76 on in the round; from 100 on in none.
    assert calls.step.tolist() == [7, 0]
    assert (calls.ns // MS).tolist() == [5, 3]
