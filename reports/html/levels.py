"""How many of some stretches of time there were at once: by level, and over time."""

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.trace import Times


def levels(starts: Times, ends: Times, first: int, last: int) -> NDArray[np.int64]:
    """Tell for how long 0, 1, 2… of the stretches lasted at once, between two times."""
    # One sort of plain numbers, with what happens in the lowest bit: ends come before starts.
    events = np.concatenate(((np.clip(starts, first, last) - first) * 2 + 1, ends))
    events[len(starts) :] = (np.clip(ends, first, last) - first) * 2
    events.sort()
    edges = np.concatenate(([0], events >> 1, [last - first]))
    count = np.concatenate(([0], np.cumsum((events & 1) * 2 - 1)))
    sums: NDArray[np.int64] = np.bincount(np.maximum(count, 0), np.diff(edges)).astype(np.int64)
    # Where one ends as another begins, the order of the two makes a level of no length.
    return np.trim_zeros(sums, "b")


def density(starts: Times, ends: Times, first: int, last: int, columns: int) -> NDArray[np.float64]:
    """Tell how many there were on average in each of some equal columns of time.

    What began before an edge lasted (edge - start) by then, less (edge - end) if it ended before:
    so counts and sums by column are enough.
    """
    width = max(1, last - first) / columns
    before: NDArray[np.float64] = np.zeros(columns + 1)
    edges = np.arange(columns + 1) * width
    for times, sign in ((starts - first, 1), (ends - first, -1)):
        cell = np.clip(np.ceil(times / width).astype(np.int64), 0, columns)
        count = np.cumsum(np.bincount(cell, minlength=columns + 1))
        total = np.cumsum(np.bincount(cell, times, columns + 1))
        before += sign * (count * edges - total)
    return np.diff(before) / width
