"""Say which of two functions is faster, or that noise could explain the difference."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Taken = Sequence[Sequence[float]]
"""Nanoseconds per call: a list per process, each with its repetitions."""


@dataclass(frozen=True)
class Figure:
    """The time of one function: the mean of the processes' medians and their spread."""

    mean_ns: float
    deviation_ns: float


@dataclass(frozen=True)
class Ratio:
    """How many times as long the first takes as the second, with a 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_tie(self) -> bool:
        """Whether the interval holds 1: noise could explain who leads."""
        return self.low <= 1 <= self.high


def figure(taken: Taken) -> Figure:
    """Sum up the time of one function."""
    medians = [statistics.median(one) for one in taken]
    return Figure(statistics.fmean(medians), statistics.stdev(medians) if len(medians) > 1 else 0.0)


def ratio(first: Taken, second: Taken) -> Ratio:
    """Compare two functions that took turns in the same processes; at least two processes.

    Within a process values depend on each other (its hash seed, its memory), so each gives one
    value: the mean logarithm of the ratios of its pairs. Their interval is Student's.
    """
    logs = [
        statistics.fmean(math.log(a / b) for a, b in zip(ones, others, strict=True))
        for ones, others in zip(first, second, strict=True)
    ]
    middle = statistics.fmean(logs)
    half = student(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(middle), math.exp(middle - half), math.exp(middle + half))


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution.

    Exact for one and two degrees of freedom, else Hill's expansion (within 0.8 % from three on).
    Source: G. W. Hill, Algorithm 396: Student's t-quantiles, CACM 13 (1970), 619.
    """
    if freedom == 1:
        return math.tan(math.pi * 0.475)
    if freedom == 2:
        return 0.95 * math.sqrt(2 / (1 - 0.95**2))
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))
