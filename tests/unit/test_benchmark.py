"""Which of two functions is faster: on made-up times, where the truth is known."""

import random

import pytest

from concurtrace.analysis.benchmark import figure, ratio, student
from concurtrace.commands.bench import verdict


def noisy(random_: random.Random, mean: float, processes: int) -> list[list[float]]:
    return [[mean * random_.lognormvariate(0, 0.1)] for _ in range(processes)]


# The tables' values, as printed in any textbook.
@pytest.mark.parametrize(("freedom", "value"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262)])
def test_the_quantiles_are_students(freedom: int, value: float) -> None:
    assert student(freedom) == pytest.approx(value, rel=0.008)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    draw = random.Random(1)
    held = 0
    for _ in range(1000):
        found = ratio(noisy(draw, 3.0, 6), noisy(draw, 2.0, 6))
        held += found.low <= 1.5 <= found.high
    assert 930 <= held <= 970


def test_equal_functions_are_a_tie_and_others_are_not() -> None:
    draw = random.Random(2)
    tie = ratio(noisy(draw, 2.0, 10), noisy(draw, 2.0, 10))
    assert tie.is_tie
    assert verdict(("a", "b"), tie).startswith("A tie: a takes between")
    lead = ratio(noisy(draw, 2.0, 10), noisy(draw, 8.0, 10))
    assert verdict(("a", "b"), lead).startswith("a is ")


def test_a_slow_machine_slows_both_and_changes_nothing() -> None:
    found = ratio([[2.0, 20.0], [6.0, 2.0]], [[1.0, 10.0], [3.0, 1.0]])
    assert (found.low, found.value, found.high) == pytest.approx((2, 2, 2))


def test_a_figure_is_the_mean_of_the_processes_medians() -> None:
    one = figure([[1.0, 2.0, 90.0], [4.0, 4.0, 4.0]])
    assert (one.mean_ns, one.deviation_ns) == pytest.approx((3.0, 2**0.5))
