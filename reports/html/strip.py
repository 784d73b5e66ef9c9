"""The run at a glance: what all threads together did, column by column, drawn before all detail."""

import numpy as np
from numpy.typing import NDArray

from .lanes import REASONS, LaneKind, Layout

COLUMNS = 300
FULL = 255
"""The height of the column in which most threads lived."""
_AT_ONCE = 1_000_000


def strip(layout: Layout, numbers: dict[int, int], columns: int = COLUMNS) -> list[list[int]]:
    """Give the heights of every state, a row per column; ``numbers`` are those of the codes.

    Exact but for the rounding of heights. What the threads did before an edge is the sum of
    (edge - start) over all intervals that began before it, less the same of their ends: so only
    counts and sums by column are needed, whatever the number of intervals.
    """
    many = max(numbers.values(), default=0) + 1
    scale = columns / max(1, layout.length)
    shape = (many, columns + 1)
    count: NDArray[np.float64] = np.zeros(shape)
    total: NDArray[np.float64] = np.zeros(shape)
    lookup = np.zeros(max(numbers, default=0) + 1, np.int64)
    lookup[list(numbers)] = list(numbers.values())
    for lane in layout.lanes:
        if lane.kind is not LaneKind.THREAD:
            continue
        since = lane.start
        for first in range(0, len(lane.intervals), _AT_ONCE):
            dur = lane.intervals.dur[first : first + _AT_ONCE]
            ends = since + np.cumsum(dur)
            state = lookup[lane.intervals.kind[first : first + _AT_ONCE] // REASONS] * shape[1]
            for times, sign in ((ends - dur, 1), (ends, -1)):
                cell = state + np.minimum(columns, (times * scale).astype(np.int64))
                count += sign * np.bincount(cell, minlength=count.size).reshape(shape)
                total += sign * np.bincount(cell, times, count.size).reshape(shape)
            since = int(ends[-1])
    edges = np.arange(columns + 1) / scale
    zero = np.zeros((many, 1))
    before = np.concatenate((zero, np.cumsum(count, axis=1)[:, :-1]), axis=1) * edges
    before -= np.concatenate((zero, np.cumsum(total, axis=1)[:, :-1]), axis=1)
    heights = np.diff(before, axis=1).T
    whole = heights.sum(axis=1).max(initial=0) or 1.0
    rows: list[list[int]] = np.rint(np.maximum(heights, 0) * FULL / whole).astype(int).tolist()
    return rows
