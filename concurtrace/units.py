"""Turn nanoseconds, bytes and shares into text for people."""

import math

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

_TIME_STEPS = ((NS_PER_S, "s"), (NS_PER_MS, "ms"), (NS_PER_US, "µs"))
_SIZE_STEPS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def significant(value: float) -> str:
    """Format a number with three significant digits and no exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:.{max(0, 2 - math.floor(math.log10(abs(rounded))))}f}"


def time_text(ns: float) -> str:
    """Format nanoseconds: ``1.43 s``, ``12.0 ms``, ``870 ns``."""
    for step, unit in _TIME_STEPS:
        # 0.9995 of a step already rounds up to it at three digits.
        if abs(ns) >= step * 0.9995:
            return f"{significant(ns / step)} {unit}"
    return f"{round(ns)} ns"


def size_text(count: float) -> str:
    """Format bytes: ``18.2 MiB``."""
    for step, unit in _SIZE_STEPS:
        if abs(count) >= step:
            return f"{significant(count / step)} {unit}"
    return f"{round(count)} B"


def share_text(share: float) -> str:
    """Format a share of one as a percentage: ``97 %``, ``3.4 %``, ``< 0.1 %``."""
    percent = share * 100
    if 0 < percent < 0.05:
        return "< 0.1 %"
    # 9.95 already rounds up to two digits before the point.
    return f"{percent:.0f} %" if abs(percent) >= 9.95 or percent == 0 else f"{percent:.1f} %"


def count_text(count: int) -> str:
    """Format a count with thin groups: ``1 204 511``."""
    return f"{count:,}".replace(",", " ")
