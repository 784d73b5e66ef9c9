"""Speed-ups, their intervals, and laws of scaling, against figures worked out by hand."""

import math

import pytest

from concurtrace.analysis.scaling import (
    amdahl,
    fit_amdahl,
    fit_usl,
    karp_flatt,
    scaling,
    usl,
)
from concurtrace.analysis.speed import speed

MS = 1_000_000


def test_a_factor_is_the_mean_over_rounds() -> None:
    found = speed((100, 200), (200, 800))
    assert found.factor == pytest.approx(math.sqrt(2 * 4))
    # The logarithms are ln 2 and ln 4: half their distance times t(1) = 12.706.
    reach = 12.706 * math.log(2) / 2
    assert found.low == pytest.approx(found.factor / math.exp(reach), rel=1e-3)
    assert found.high == pytest.approx(found.factor * math.exp(reach), rel=1e-3)


def test_drift_that_hits_both_alike_leaves_no_doubt() -> None:
    found = speed((100, 300, 200), (200, 600, 400))
    assert (found.low, found.factor, found.high) == pytest.approx((2, 2, 2))
    assert not found.may_be_one


def test_one_round_says_nothing_of_noise() -> None:
    found = speed((100,), (200,))
    assert found.factor == 2
    assert found.low is None
    assert found.may_be_one


def test_noise_could_explain_what_goes_both_ways() -> None:
    assert speed((100, 110, 90), (105, 100, 104)).may_be_one


def test_karp_and_flatt_find_the_serial_part_of_amdahls_law() -> None:
    law = amdahl(0.2, math.inf)
    assert [karp_flatt(law(p), p) for p in (2, 4, 8)] == pytest.approx([0.2, 0.2, 0.2])
    assert karp_flatt(1, 1) is None


def test_laws_are_found_again_from_their_own_points() -> None:
    points = {p: amdahl(0.3, 4)(p) for p in (1, 2, 4, 8)}
    assert fit_amdahl(points, 4) == pytest.approx(0.3)
    points = {p: usl(0.1, 0.01, math.inf)(p) for p in (1, 2, 4, 8, 16)}
    assert fit_usl(points, math.inf) == pytest.approx((0.1, 0.01))


@pytest.mark.parametrize(
    ("walls", "best"),
    [
        pytest.param({1: 100, 2: 50, 4: 25}, 8, id="scales: twice what was measured, no more"),
        pytest.param({1: 100, 2: 100, 4: 100}, 1, id="does not scale"),
        pytest.param({1: 100, 2: 60, 4: 60, 8: 120, 16: 400}, 2, id="gets worse"),
    ],
)
def test_the_best_number_of_workers_is_the_least_that_comes_near_the_peak(
    walls: dict[int, int], best: int
) -> None:
    found = scaling("threads", {p: (ms * MS, ms * MS) for p, ms in walls.items()}, 2)
    assert found is not None
    assert found.best == best
    assert max(one.workers for one in found.foretold) <= 2 * max(walls)


def test_the_range_is_what_single_rounds_say() -> None:
    found = scaling("threads", {1: (100 * MS, 100 * MS), 2: (50 * MS, 80 * MS)}, 8)
    assert found is not None
    four = next(one for one in found.foretold if one.workers == 4)
    # The rounds by themselves say 4 times, and 1 / (0.6 + 0.4 / 4).
    assert four.low == pytest.approx(1 / 0.7 / 1.03)
    assert four.high == pytest.approx(4 * 1.03)
    assert four.low < four.speedup < four.high


def test_each_point_is_foretold_from_the_others() -> None:
    walls = {p: (round(100 * MS / amdahl(0.25, 8)(p)),) * 2 for p in (1, 2, 4)}
    found = scaling("processes", walls, 8)
    assert found is not None
    assert [point.error for point in found.points[1:]] == pytest.approx([0, 0], abs=1e-6)


def test_one_number_of_workers_is_no_scaling() -> None:
    assert scaling("threads", {4: (100,)}, 2) is None
