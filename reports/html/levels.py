"""How many of some stretches of time there were at once: by level, and over time.

What is needed on the way is made for a million stretches at a time: for all of them it would take
several times their own memory.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import Times

_AT_ONCE = 1_000_000


def _pieces(column: Times) -> Iterator[Times]:
    """Cut a column into pieces."""
    return (column[at : at + _AT_ONCE] for at in range(0, len(column), _AT_ONCE))


def levels(starts: Times, ends: Times, first: int, last: int) -> NDArray[np.int64]:
    """Tell for how long 0, 1, 2… of the stretches lasted at once, between two times."""
    # One sort of plain numbers, with what happens in the lowest bit: ends come before starts.
    events: Times = np.concatenate((starts, ends, [last]))
    np.clip(events, first, last, out=events)
    events -= first
    events *= 2
    events[: len(starts)] += 1
    events.sort()
    sums: NDArray[np.float64] = np.zeros(1)
    level, since = 0, 0
    for part in _pieces(events):
        times, steps = part >> 1, (part & 1) * 2 - 1
        after = level + np.cumsum(steps)
        # Where one ends as another begins, the order of the two makes a level of no length.
        lasted = np.maximum(after - steps, 0)
        longer: NDArray[np.float64] = np.zeros(max(len(sums), int(lasted.max()) + 1))
        longer[: len(sums)] = sums
        sums = longer + np.bincount(lasted, np.diff(times, prepend=since), len(longer))
        level, since = int(after[-1]), int(times[-1])
    return np.trim_zeros(sums.astype(np.int64), "b")


def density(starts: Times, ends: Times, first: int, last: int, columns: int) -> NDArray[np.float64]:
    """Tell how many there were on average in each of some equal columns of time.

    What began before an edge lasted (edge - start) by then, less (edge - end) if it ended before:
    so counts and sums by column are enough.
    """
    width = max(1, last - first) / columns
    count: NDArray[np.float64] = np.zeros(columns + 1)
    total: NDArray[np.float64] = np.zeros(columns + 1)
    for column, sign in ((starts, 1), (ends, -1)):
        for part in _pieces(column):
            times = part - first
            cell = np.clip(np.ceil(times / width).astype(np.int64), 0, columns)
            count += sign * np.bincount(cell, minlength=columns + 1)
            total += sign * np.bincount(cell, times, columns + 1)
    edges = np.arange(columns + 1) * width
    return np.diff(np.cumsum(count) * edges - np.cumsum(total)) / width
