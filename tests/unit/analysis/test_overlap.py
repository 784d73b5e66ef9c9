"""Intervals that overlap, on numbers whose answer is plain, and against counting every instant."""

import random

import numpy as np

from concurtrace.analysis.overlap import shared_ns
from concurtrace.model.spans import Times


def times(*ns: int) -> Times:
    return np.array(ns, np.int64)


def test_only_what_two_share_counts() -> None:
    assert shared_ns(times(0, 5), times(10, 20), times(0), times(20)) == 5
    assert shared_ns(times(0, 10), times(10, 20), times(0), times(20)) == 0
    assert shared_ns(times(0), times(10), times(0), times(20)) == 0
    assert shared_ns(times(0, 0), times(10, 10), times(4, 8, 12), times(6, 12, 14)) == 2 + 2


def test_as_counted_instant_by_instant() -> None:
    chance = random.Random(7)
    for _ in range(50):
        starts = [chance.randrange(100) for _ in range(8)]
        ends = [one + chance.randrange(40) for one in starts]
        since = [chance.randrange(100) for _ in range(3)]
        until = [one + chance.randrange(40) for one in since]
        expected = sum(
            sum(a <= at < b for a, b in zip(starts, ends, strict=True)) >= 2
            for a_window, b_window in zip(since, until, strict=True)
            for at in range(a_window, b_window)
        )
        assert shared_ns(times(*starts), times(*ends), times(*since), times(*until)) == expected
