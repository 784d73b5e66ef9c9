"""``concurtrace bench`` on functions whose order is beyond doubt, and the timers it is made of."""

import json
from pathlib import Path

import pytest

from concurtrace.timing import Timer, timed
from tests.cli import concurtrace

MINE = """\
def few():
    return sum(range(100))


def many(times=1):
    return sum(range(20_000 * times))
"""
QUICKLY = ("--processes", "3", "--rounds", "2", "--min-time", "0")


def test_the_faster_of_two_is_named_with_an_interval(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    arguments = ("bench", "mine:many(2)", "mine:few", *QUICKLY)
    done = concurtrace(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert "mine:few is " in done.stdout
    assert "times as fast (95 % interval: " in done.stdout
    document = json.loads(concurtrace(tmp_path, *arguments, "--format", "json").stdout)
    slow, fast = document["functions"]
    assert slow["mean_ns"] > fast["mean_ns"] > 0
    assert 1 < document["ratio"]["low"] < document["ratio"]["value"] < document["ratio"]["high"]


@pytest.mark.parametrize(
    ("statement", "code", "message"),
    [
        ("mine", 2, "is not MODULE:FUNC"),
        ("mine:none", 3, "has no attribute 'none'"),
        ("nowhere:few", 3, "No module named 'nowhere'"),
    ],
)
def test_what_cannot_be_timed_is_said(
    tmp_path: Path, statement: str, code: int, message: str
) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    done = concurtrace(tmp_path, "bench", statement, *QUICKLY)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_timer_times_what_an_exception_ends() -> None:
    timer = Timer()
    with pytest.raises(ZeroDivisionError), timer:
        raise ZeroDivisionError
    assert timer.elapsed_ns > 0


def test_a_timed_function_returns_its_result_too() -> None:
    @timed
    def double(number: int) -> int:
        """Double it."""
        return 2 * number

    result, took_ns = double(21)
    assert result == 42
    assert took_ns > 0
    assert double.__doc__ == "Double it."
