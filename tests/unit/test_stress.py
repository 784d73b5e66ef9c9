"""What is drawn for the trials of ``concurtrace stress``, and what is read from their stacks."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from concurtrace.launch.stacks import stuck_at
from concurtrace.launch.stress import PLAIN_SWITCH_US, Range, Setting


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
