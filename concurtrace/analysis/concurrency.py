"""How many threads ran, or wanted to, at once: from span borders, in one sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import Selection, Times
from concurtrace.model.states import State
from concurtrace.model.trace import Trace

_BATCH = 1 << 20
"""Intervals looked at together: what is worked out beside them takes forty bytes for each."""

WORKING = (State.RUNNING, State.RUNNING_NOGIL)
READY = (*WORKING, State.RUNNABLE)
WANTING = (*READY, State.GIL_WAIT)
"""What a thread does that has something to do and nothing to wait for but a core or the GIL."""


@dataclass(frozen=True, eq=False)
class Steps:
    """How many intervals there are at once: ``count[i]`` from ``times_ns[i]`` to the next time."""

    times_ns: Times
    count: NDArray[np.int32]

    @classmethod
    def of(cls, start_ns: Times, end_ns: Times, from_ns: int, to_ns: int) -> Steps:
        """Lay intervals over a window; they must not reach beyond it."""
        keys = np.empty(2 * len(start_ns) + 2, np.int64)
        keys[1 : len(start_ns) + 1] = start_ns
        keys[len(start_ns) + 1 : -1] = end_ns
        return cls._of_borders(keys, from_ns, to_ns)

    @classmethod
    def _of_borders(cls, keys: Times, from_ns: int, to_ns: int) -> Steps:
        """Use up starts and as many ends, with room for a first and a last time around them."""
        keys -= from_ns
        keys <<= 1
        # One sort of times with the direction in the lowest bit: an end comes before a start.
        keys[1 : len(keys) // 2] |= 1
        keys[1:-1].sort()
        keys[0], keys[-1] = 0, (to_ns - from_ns) << 1
        change = (keys & 1).astype(np.int8)
        change *= 2
        change -= 1
        change[[0, -1]] = 0
        # In place: a trace of ten million spans has room for little beside itself.
        keys >>= 1
        keys += from_ns
        return cls(keys, np.cumsum(change, dtype=np.int32))

    @classmethod
    def during(cls, trace: Trace, spans: Selection) -> Steps:
        """Lay some spans of a trace over its length."""
        start_ns = trace.spans.start_ns[spans]
        keys = np.empty(2 * len(start_ns) + 2, np.int64)
        keys[1 : len(start_ns) + 1] = start_ns
        # Selected one after the other, since together they are as large as the keys.
        del start_ns
        keys[len(keys) // 2 : -1] = trace.spans.end_ns[spans]
        return cls._of_borders(keys, trace.start_ns, trace.end_ns)

    def time_at(self) -> Times:
        """Return the time for which there were exactly 0, 1, 2… at once."""
        found = np.zeros(max(int(self.count.max()), 0) + 1, np.int64)
        for low in range(0, len(self.count) - 1, _BATCH):
            length = np.diff(self.times_ns[low : low + _BATCH + 1])
            count = np.maximum(self.count[low : low + len(length)], 0)
            found += np.bincount(count, length, len(found)).astype(np.int64)
        return found

    def inside(self, exactly: int, start_ns: Times, end_ns: Times) -> Times:
        """Measure for some intervals how long there were exactly so many meanwhile."""
        sums = np.zeros(len(self.times_ns), np.int64)
        np.subtract(self.times_ns[1:], self.times_ns[:-1], out=sums[1:])
        sums[1:][self.count[:-1] != exactly] = 0
        np.cumsum(sums, out=sums)
        found = np.empty(len(start_ns), np.int64)
        for low in range(0, len(found), _BATCH):
            part = slice(low, low + _BATCH)
            found[part] = self._integral(exactly, sums, end_ns[part])
            found[part] -= self._integral(exactly, sums, start_ns[part])
        return found

    def _integral(self, exactly: int, sums: Times, at_ns: Times) -> Times:
        place = np.clip(np.searchsorted(self.times_ns, at_ns, side="right") - 1, 0, None)
        rest = np.where(self.count[place] == exactly, at_ns - self.times_ns[place], 0)
        found: Times = sums[place] + rest
        return found


def steps(trace: Trace, *states: State, rows: Selection | None = None) -> Steps:
    """Count how many threads were in some states at once; ``rows`` selects spans further."""
    mask = trace.spans.in_state(*states)
    if rows is not None:
        chosen = np.zeros(len(mask), bool)
        chosen[rows] = True
        mask &= chosen
    return Steps.during(trace, mask)


@dataclass(frozen=True, eq=False)
class Concurrency:
    """How parallel a run was.

    ``running_ns[n]`` is the time with exactly n threads at work, ``wanting_ns[n]`` with n that
    worked, or waited for a core or the GIL only. ``effective`` is the mean number at work;
    ``alone_ns`` says for every thread how long nobody else wanted to work while it did.
    """

    running_ns: Times
    ready_ns: Times
    wanting_ns: Times
    effective: float
    alone_ns: Times

    def share_of(self, times_ns: Times, at_least: int) -> float:
        """Return the share of the run in which so many or more were counted."""
        whole = int(times_ns.sum())
        return float(times_ns[at_least:].sum()) / whole if whole else 0.0


def concurrency(trace: Trace) -> Concurrency:
    """Work out how parallel a run was; effective parallelism from exact totals."""
    wanting = steps(trace, *WANTING)
    mask = trace.spans.in_state(*WANTING)
    alone = wanting.inside(1, trace.spans.start_ns[mask], trace.spans.end_ns[mask])
    per_thread = np.bincount(trace.span_threads[mask], alone, len(trace.threads))
    wanting_ns = wanting.time_at()
    del wanting, mask, alone
    worked = sum(thread.ns(*WORKING) for thread in trace.threads)
    return Concurrency(
        running_ns=steps(trace, *WORKING).time_at(),
        ready_ns=steps(trace, *READY).time_at(),
        wanting_ns=wanting_ns,
        effective=worked / trace.wall_ns if trace.wall_ns else 0.0,
        alone_ns=per_thread.astype(np.int64),
    )


def availability(cpu_ns: int, ready_ns: int) -> float:
    """Return the share of the time wanted on a core that was had: CPU / (CPU + ready)."""
    return cpu_ns / (cpu_ns + ready_ns) if cpu_ns + ready_ns else 1.0
