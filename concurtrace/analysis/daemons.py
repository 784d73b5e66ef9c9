"""Threads and processes that were cut off because their program ended: nobody waited for them."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import numpy as np

from concurtrace.analysis.concurrency import READY, WANTING
from concurtrace.model.states import State
from concurtrace.model.trace import EndedBy, Process, Spans, Thread, Trace

LATELY_NS = 100_000_000
"""Over how long before its end is looked at whether it was at work."""
AT_WORK = 0.5
_WITH_PARENT_NS = 2_000_000_000
"""A daemonic process is ended when its parent ends, which then still has to wind up."""
_NEVER_CAME_BACK = (State.GIL_WAIT, State.UNKNOWN)


@dataclass(frozen=True)
class CutOff:
    """A thread, or a process by its main thread, and whether it was at work when it ended."""

    row: int
    of_process: bool
    at_work: bool


def cut_off(trace: Trace) -> tuple[CutOff, ...]:
    """Find daemons that were still there when their program ended by itself."""
    found = []
    for row, one in enumerate(trace.threads):
        process = trace.processes[one.process]
        if not one.runs_python or one.first == one.last:
            continue
        if one.is_main:
            cut = _was_terminated(trace, process)
        else:
            cut = _winds_up(trace, process) and _was_stopped(trace.spans_of(one), one, process)
        if cut:
            found.append(CutOff(row, one.is_main, _worked(trace.spans_of(one)) >= AT_WORK))
    return tuple(found)


def _winds_up(trace: Trace, process: Process) -> bool:
    """Tell whether a process ended by itself: its main thread was the last at work."""
    if process.ended_by is not EndedBy.EXIT:
        return False
    mains = [one for one in trace.threads_of(process) if one.is_main and one.first < one.last]
    return any(trace.spans.in_state(*READY)[one.last - 1] for one in mains)


def _was_stopped(spans: Spans, thread: Thread, process: Process) -> bool:
    """Tell whether a thread lived to the very end, or ended as it asked for a GIL it never got."""
    # Whoever winds up holds the GIL: nobody else can at the very end.
    if thread.end_ns >= process.end_ns:
        return not spans.in_state(State.RUNNING)[-1]
    after = np.flatnonzero(spans.in_state(State.RUNNING))
    rest = spans.take(slice(int(after[-1]) + 1 if len(after) else 0, len(spans)))
    return bool(rest.in_state(*_NEVER_CAME_BACK).any())


def _was_terminated(trace: Trace, process: Process) -> bool:
    if process.parent is None or process.signal != signal.SIGTERM:
        return False
    if process.started_by not in ("fork", "spawn", "forkserver"):
        return False
    after_ns = trace.processes[process.parent].end_ns - process.end_ns
    return after_ns < _WITH_PARENT_NS


def _worked(spans: Spans) -> float:
    """Return the share of its last moments in which it worked, or wanted to."""
    end = int(spans.end_ns[-1])
    start = max(end - LATELY_NS, int(spans.start_ns[0]))
    inside = np.maximum(spans.end_ns - np.maximum(spans.start_ns, start), 0)
    return float(inside[spans.in_state(*WANTING)].sum()) / max(end - start, 1)
