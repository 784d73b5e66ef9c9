"""How much faster one mode is than another, and what of it noise could explain.

Rounds are compared with each other: what slows the machine down for a while slows both. The mean
of the logarithms of the ratios gives the factor, Student's t its interval.
"""

from __future__ import annotations

import math
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
    variance = sum((one - mean) ** 2 for one in logs) / (many - 1)
    t = _T_95[many - 2] if many - 2 < len(_T_95) else _T_MANY
    reach = t * math.sqrt(variance / many)
    return Speed(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))
