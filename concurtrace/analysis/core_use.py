"""Who ran on which core, and how many threads there were at once."""

from collections.abc import Iterable

import numpy as np

from concurtrace.model.report import CoreReport, CoreUser
from concurtrace.model.trace import Trace

_KEPT = 50


def core_use(trace: Trace) -> tuple[CoreReport, ...] | None:
    """List for every core who ran on it, longest first; None without switch records."""
    on = trace.on_core
    if on is None or not trace.wall_ns:
        return None
    rows = trace.rows_of(on.tid, on.start_ns)
    # Threads of programs without Python have no row: their tid stands for itself.
    who = np.where(rows >= 0, rows, -on.tid.astype(np.int64) - 1)
    reports = []
    for core in np.unique(on.core).tolist():
        here = on.core == core
        users, inverse = np.unique(who[here], return_inverse=True)
        times = np.bincount(inverse, (on.end_ns - on.start_ns)[here], len(users))
        order = np.argsort(-times, kind="stable")[:_KEPT]
        ran = tuple(_user(trace, int(users[one]), int(times[one])) for one in order)
        reports.append(CoreReport(core, min(1.0, float(times.sum()) / trace.wall_ns), ran))
    return tuple(reports)


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
