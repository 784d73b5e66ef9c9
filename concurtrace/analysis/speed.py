"""How much faster one mode is than another, and what of it noise could explain.

Rounds are compared with each other: what slows the machine down for a while slows both. The mean
of the logarithms of the ratios gives the factor, Student's t its interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from concurtrace.model.comparison import Speed

_T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t, two-sided 95 %, for 1 to 30 degrees of freedom (any table of statistics)."""
_T_MANY = 1.96


def speed(of_ns: Sequence[int], against_ns: Sequence[int]) -> Speed:
    """Say how many times as fast as another something is, from their times round by round."""
    logs = [math.log(b / a) for a, b in zip(of_ns, against_ns, strict=False) if a > 0 and b > 0]
    many = len(logs)
    mean = sum(logs) / many
    if many < 2:
        return Speed(math.exp(mean), None, None)
    return _around(mean, math.sqrt(statistics.variance(logs) / many), many - 1)


def unpaired_speed(of_ns: Sequence[int], against_ns: Sequence[int]) -> Speed:
    """Say the same of times that were taken at different moments: Welch's t of the logarithms."""
    mine = [math.log(one) for one in of_ns if one > 0]
    other = [math.log(one) for one in against_ns if one > 0]
    difference = statistics.fmean(other) - statistics.fmean(mine)
    if len(mine) < 2 or len(other) < 2:
        return Speed(math.exp(difference), None, None)
    a, b = statistics.variance(mine) / len(mine), statistics.variance(other) / len(other)
    spread = a * a / (len(mine) - 1) + b * b / (len(other) - 1)
    degrees = int((a + b) ** 2 / spread) if spread else len(mine) + len(other) - 2
    return _around(difference, math.sqrt(a + b), max(1, degrees))


def _around(mean: float, error: float, degrees: int) -> Speed:
    t = _T_95[degrees - 1] if degrees <= len(_T_95) else _T_MANY
    return Speed(math.exp(mean), math.exp(mean - t * error), math.exp(mean + t * error))
