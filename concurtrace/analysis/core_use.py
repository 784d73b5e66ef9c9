"""Who ran on which core, and how many threads there were at once."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.report import CoreReport, CoreUser
from concurtrace.model.spans import NO_CORE, CoreReadings, Numbers, OnCore, Times
from concurtrace.model.trace import Trace

_KEPT = 50


def core_use(trace: Trace) -> tuple[CoreReport, ...] | None:
    """List for every core who ran on it, longest first; None where nothing tells.

    Where there are no switch records the scheduler's counters say how long a thread ran since the
    reading before, and the core of the reading stands for all of that.
    """
    tids, cores, times, at_ns = _stays(trace)
    if not len(tids) or not trace.wall_ns:
        return None
    rows = trace.rows_of(tids, at_ns)
    # Threads of programs without Python have no row: their tid stands for itself.
    who = np.where(rows >= 0, rows, -tids.astype(np.int64) - 1)
    reports = []
    for core in np.unique(cores).tolist():
        here = cores == core
        users, inverse = np.unique(who[here], return_inverse=True)
        sums = np.bincount(inverse, times[here], len(users))
        order = np.argsort(-sums, kind="stable")[:_KEPT]
        ran = tuple(_user(trace, int(users[one]), int(sums[one])) for one in order)
        reports.append(CoreReport(core, min(1.0, float(sums.sum()) / trace.wall_ns), ran))
    return tuple(reports)


def _stays(trace: Trace) -> tuple[Numbers, NDArray[np.int16], Times, Times]:
    """Return tid, core, length and time of every stay on a core, and of what stands for stays."""
    on, readings = trace.on_core or OnCore.empty(), trace.readings or CoreReadings.empty()
    on = on.take((on.core != NO_CORE) & (on.end_ns > on.start_ns))
    ran = np.diff(readings.on_core_ns, prepend=0)
    first = np.diff(readings.tid.astype(np.int64), prepend=-1) != 0
    ran[first] = 0
    counted = readings.take(ran > 0)
    if trace.on_core is not None:
        keep = _inside(counted.time_ns, trace.gaps_ns)
        counted, ran = counted.take(keep), ran[ran > 0][keep]
    else:
        ran = ran[ran > 0]
    return (
        np.concatenate((on.tid, counted.tid)),
        np.concatenate((on.core, counted.core)),
        np.concatenate((on.end_ns - on.start_ns, ran)),
        np.concatenate((on.start_ns, counted.time_ns)),
    )


def _inside(times_ns: Times, stretches_ns: Times) -> NDArray[np.bool_]:
    if not len(stretches_ns):
        return np.zeros(len(times_ns), bool)
    place = np.searchsorted(stretches_ns[:, 0], times_ns, side="right") - 1
    ends = stretches_ns[np.maximum(place, 0), 1]
    inside: NDArray[np.bool_] = (place >= 0) & (times_ns <= ends)
    return inside


def _user(trace: Trace, who: int, ns: int) -> CoreUser:
    if who >= 0:
        thread = trace.threads[who]
        return CoreUser(trace.processes[thread.process].pid, thread.tid, thread.name, ns)
    tid = -who - 1
    name = next((one.name for one in reversed(trace.processes) if one.pid == tid), f"thread {tid}")
    return CoreUser(tid, tid, name, ns)


def peak(lives: Iterable[tuple[int, int]]) -> int:
    """Count how many of some (start, end) intervals there were at once at most."""
    times = np.array(list(lives), np.int64).reshape(-1, 2)
    starts, ends = np.sort(times[:, 0]), np.sort(times[:, 1])
    if not len(starts):
        return 0
    gone = np.searchsorted(ends, starts, side="right")
    return int((np.arange(1, len(starts) + 1) - gone).max())
