"""How long at least two of some intervals went on at once."""

import numpy as np

from concurtrace.model.spans import Times


def shared_ns(starts: Times, ends: Times, since: Times, until: Times) -> int:
    """Add up for how much of each window two or more intervals went on; windows may overlap.

    ``starts`` and ``ends`` bound the intervals, ``since`` and ``until`` the windows.
    """
    if len(starts) < 2:
        return 0
    times = np.concatenate((starts, ends))
    order = np.argsort(times, kind="stable")
    times = times[order]
    going = np.cumsum(np.repeat((1, -1), (len(starts), len(ends)))[order])
    together = np.where(going[:-1] >= 2, np.diff(times), 0)
    before = np.concatenate(([0], np.cumsum(together)))
    # In whole nanoseconds from the first time on, which floats hold exactly for a hundred days.
    zero = times[0]
    shared = np.interp(until - zero, times - zero, before)
    shared -= np.interp(since - zero, times - zero, before)
    return int(np.rint(shared).sum())
