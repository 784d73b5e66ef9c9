"""Waits for locks that nobody ended before the run was over, and who had those locks."""

import numpy as np

from concurtrace.model.states import State
from concurtrace.model.trace import Trace

_OLD = 0.2
"""A wait that nobody ended is stuck from this share of the run on."""


def stuck(trace: Trace) -> list[tuple[int, int]]:
    """List pairs of threads: the first waited to the end for a lock that the second had.

    A thread that waits holds what it held when it came to take that lock, which the order of
    locks tells.
    """
    spans = trace.spans
    waits = spans.in_state(State.LOCK_WAIT) & (spans.waker == 0) & (spans.object != 0)
    waits &= spans.dur_ns >= _OLD * trace.wall_ns
    waits &= spans.end_ns >= trace.end_ns - _OLD / 2 * trace.wall_ns
    last = {int(trace.span_threads[row]): row for row in np.flatnonzero(waits).tolist()}
    wanted = {thread: int(spans.object[row]) for thread, row in last.items()}
    owners: dict[int, int] = {}
    for thread, lock in wanted.items():
        for order in trace.orders:
            if order.taken == lock and trace.threads[thread].tid in order.tids:
                owners.update(dict.fromkeys(order.held, thread))
    return [
        (thread, owners[lock])
        for thread, lock in wanted.items()
        if lock in owners and owners[lock] != thread
    ]
