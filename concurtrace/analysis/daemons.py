"""Threads and processes that were cut off because their program ended: nobody waited for them."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import numpy as np

from concurtrace.analysis.concurrency import WANTING
from concurtrace.analysis.crew import pool_workers
from concurtrace.model.spans import Spans
from concurtrace.model.trace import EndedBy, Process, ThreadEnd, Trace

LATELY_NS = 500_000_000
AT_WORK = 0.5
"""It was at work when it was so for half of the last half second: its very last moment may belong
to whatever ended it."""
_WITH_PARENT_NS = 2_000_000_000
"""A daemonic process is ended when its parent ends, which then still has to wind up."""


@dataclass(frozen=True)
class CutOff:
    """A thread, or a process by its main thread, and whether it was at work when it ended."""

    row: int
    of_process: bool
    at_work: bool


def cut_off(trace: Trace) -> tuple[CutOff, ...]:
    """Find daemons that were still there when their program ended by itself."""
    found = []
    pooled = pool_workers(trace)
    for row, one in enumerate(trace.threads):
        process = trace.processes[one.process]
        # A pool ends its workers: when it is closed they have nothing to do.
        if not one.runs_python or one.first == one.last or pooled[row]:
            continue
        if one.is_main:
            cut = _was_terminated(trace, process)
        else:
            cut = process.ended_by is EndedBy.EXIT and one.ended is not ThreadEnd.RETURNED
        if cut:
            found.append(CutOff(row, one.is_main, _worked(trace.spans_of(one)) >= AT_WORK))
    return tuple(found)


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
