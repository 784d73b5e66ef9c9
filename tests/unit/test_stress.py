"""What is drawn for the trials of ``concurtrace stress``, and what is read from their stacks."""

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from concurtrace.errors import RunFailedError
from concurtrace.launch.stacks import stuck_at
from concurtrace.launch.stress import (
    PLAIN_SWITCH_US,
    Range,
    Setting,
    Stress,
    StressPlan,
    Verdict,
)
from concurtrace.model.run import Target, TargetKind
from concurtrace.rundir import store


def test_the_first_setting_is_a_plain_one() -> None:
    values = Range((PLAIN_SWITCH_US, 1.0), (0, 1), workers=(4, 1), seeds=(42, 1))
    assert values.settings(1) == [Setting(PLAIN_SWITCH_US, 0, 4, 42, None)]


@given(st.lists(st.integers(1, 99), min_size=1, max_size=7, unique=True))
def test_every_value_has_its_turn(workers: list[int]) -> None:
    values = Range((1.0,), (0,), workers=tuple(workers))
    settings = values.settings(len(workers))
    assert sorted(one.workers or 0 for one in settings) == sorted(workers)
    assert values.settings(3 * len(workers))[: len(workers)] == settings


def test_stacks_are_told_by_the_innermost_frame_of_the_target(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    errors.write_text(
        "said before\n"
        "Thread 0x00007f (most recent call first):\n"
        '  File "/lib/threading.py", line 3 in wait\n'
        '  File "/home/me/mine.py", line 7 in eat\n'
        '  File "/home/me/mine.py", line 9 in dine\n\n'
        "Thread 0x00007e (most recent call first):\n"
        '  File "/home/me/mine.py", line 7 in eat\n\n'
        "Current thread 0x00007d (most recent call first):\n"
        '  File "/lib/threading.py", line 5 in join\n'
    )
    assert stuck_at(errors, ("/home/me/",)) == (
        "2 threads at mine.py:7 in eat",
        "1 thread at threading.py:5 in join",
    )


def test_what_cannot_be_started_is_a_failure_and_loses_no_earlier_trial(tmp_path: Path) -> None:
    target = Target(TargetKind.CODE, "-c")

    def wanted(setting: Setting) -> Target:
        if setting.seed == 2:
            raise RunFailedError("no server today")
        return target

    settings = (Setting(seed=1), Setting(seed=2), Setting(seed=1))
    plan = StressPlan("code", wanted, (sys.executable, "-c", ""), (), settings, 60.0)
    trials = Stress(plan, store.create(target, tmp_path), lambda _message: None).execute()
    assert [one.verdict for one in trials] == [Verdict.OK, Verdict.FAILS, Verdict.OK]
    assert trials[1].reason == "no server today"
