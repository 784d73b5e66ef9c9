"""Exact time per state of one thread: what its spans, its folded spans and its open span add to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import Folds, Spans, Times
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import GilUse, StateTotal, WaitedFor
from concurtrace.recording import layout

_UNKNOWN = State.UNKNOWN.code
_EXACT_IN_A_DOUBLE = 1 << 53
"""Nanoseconds: a hundred days. Beyond them adding up takes thirty times as long."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Time and number of spans by state code."""

    ns: Times
    count: Times

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.ns + other.ns, self.count + other.count)


def sums_of(spans: Spans) -> Sums:
    """Add up spans by state."""
    size = len(STATES)
    if int(spans.dur_ns.sum()) < _EXACT_IN_A_DOUBLE:
        ns = np.bincount(spans.state, spans.dur_ns, size).astype(np.int64)
    else:
        ns = np.zeros(size, np.int64)
        np.add.at(ns, spans.state, spans.dur_ns)
    return Sums(ns, np.bincount(spans.state, minlength=size).astype(np.int64))


def folded_of(slot: Any) -> Sums:
    """Read from a thread slot what was folded."""
    return _sums_in(slot, "folded_ns", "folded_count")


def all_of(slot: Any) -> Sums:
    """Read from a thread slot all that was recorded, whether it was folded or stored."""
    return _sums_in(slot, "total_ns", "count")


def _sums_in(slot: Any, ns_field: str, count_field: str) -> Sums:
    size = len(STATES)
    codes = layout.STATE_CODES[: layout.STATE_COUNT]
    ns, count = np.zeros(size, np.int64), np.zeros(size, np.int64)
    # Far above any real figure, far below where adding up overflows.
    limit = np.uint64(1 << 56)
    np.add.at(ns, codes, np.minimum(slot["states"][ns_field], limit).astype(np.int64))
    np.add.at(count, codes, np.minimum(slot["states"][count_field], limit).astype(np.int64))
    return Sums(ns, count)


def untold_folds(
    folded: Sums, told: Folds, thread: int, start_ns: int, end_ns: int
) -> Folds | None:
    """Make fold rows for what was folded after the last fold record, or without one."""
    missing = folded.ns - np.bincount(told.state, told.ns, len(STATES)).astype(np.int64)
    states = np.flatnonzero(missing > 0)
    if not len(states):
        return None
    since = int(told.end_ns.max()) if len(told) else start_ns
    count = folded.count - np.bincount(told.state, told.count, len(STATES)).astype(np.int64)
    rows = len(states)
    return Folds(
        thread=np.full(rows, thread, np.uint32),
        start_ns=np.full(rows, min(since, end_ns), np.int64),
        end_ns=np.full(rows, end_ns, np.int64),
        ns=missing[states],
        count=np.maximum(count[states], 1),
        state=states.astype(np.uint8),
    )


def complete(stored: Sums, folded: Sums, lifetime_ns: int) -> dict[State, StateTotal]:
    """Put the totals together; what they leave of the lifetime is UNKNOWN."""
    ns, count = stored.ns + folded.ns, stored.count + folded.count
    ns[_UNKNOWN] += max(0, lifetime_ns - int(ns.sum()))
    return {
        state: StateTotal(
            int(ns[state.code]),
            int(count[state.code]),
            int(folded.ns[state.code]),
            int(folded.count[state.code]),
        )
        for state in STATES
        if ns[state.code]
    }


def gil_use(slot: Any, end_ns: int, open_wait_ns: int) -> GilUse:
    """Read the GIL figures of a slot; a hold or wait that was open lasted until ``end_ns``."""
    held, holds = int(slot["gil_held_ns"]), int(slot["gil_holds"])
    taken = int(slot["gil_taken_ns"])
    if taken and taken < end_ns:
        held, holds = held + end_ns - taken, holds + 1
    wait, waits = int(slot["gil_wait_ns"]), int(slot["gil_waits"])
    longest = int(slot["gil_longest_wait_ns"])
    if open_wait_ns:
        wait, waits, longest = wait + open_wait_ns, waits + 1, max(longest, open_wait_ns)
    pairs: NDArray[Any] = slot["pairs"]
    named = [
        WaitedFor(int(one["tid"]), int(one["ns"]), int(one["count"]))
        for one in pairs
        if one["tid"] and one["ns"]
    ]
    other = slot["pair_other"]
    if other["ns"]:
        named.append(WaitedFor(0, int(other["ns"]), int(other["count"])))
    named.sort(key=lambda one: -one.ns)
    return GilUse(held, holds, wait, waits, longest, int(slot["gil_forced"]), tuple(named))
