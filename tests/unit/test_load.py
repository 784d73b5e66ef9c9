"""How much of the machine other programs had, from what was counted during each execution."""

import os

import pytest

from concurtrace.launch.load import competing_load
from concurtrace.model.run import Execution

MS = 1_000_000


def execution(wall_ms: int, cpu_ms: int, busy_ms: int) -> Execution:
    return Execution(wall_ms * MS, cpu_ms * MS, 0, 0, machine_busy_ns=busy_ms * MS)


def test_what_the_target_did_not_use_others_did() -> None:
    given = [execution(100, 60, 90), execution(100, 60, 70)]
    assert competing_load(given) == pytest.approx(40 / (200 * (os.cpu_count() or 1)))


def test_clocks_that_disagree_are_no_load() -> None:
    assert competing_load([execution(100, 60, 50)]) == 0


def test_without_a_count_nothing_is_said() -> None:
    assert competing_load([execution(100, 60, 0)]) is None
