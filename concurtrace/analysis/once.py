"""What a process does once, and each further process again: imports, compiling patterns.

Threads share what one of them has made; a process that is forked before makes it anew.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.crew import import_stacks, within
from concurtrace.model.recording import Function
from concurtrace.model.spans import Times
from concurtrace.model.trace import Trace
from concurtrace.recording.reasons import standard_module

_FEWEST = 20
"""Samples: fewer say little about where time went."""


def once_ns(trace: Trace, *, imports: bool) -> Times:
    """Return for every thread what of its work a process does once, by samples; 0 without them.

    Without ``imports``, what is done while a module is imported is left out.
    """
    importing = import_stacks(trace.stacks)
    compiling = within(trace.stacks, _compiles)
    return work_in(trace, importing | compiling if imports else compiling & ~importing)


def work_in(trace: Trace, chosen: NDArray[np.bool_]) -> Times:
    """Return for every thread how long it worked with some stacks, by samples; 0 without them."""
    found = np.zeros(len(trace.threads), np.int64)
    samples = trace.samples
    if samples is None or len(samples) < _FEWEST:
        return found
    at_work = samples.take(np.isin(samples.state, [one.code for one in WORKING]))
    rows = trace.rows_of(at_work.tid, at_work.time_ns)
    known = rows >= 0
    many = np.bincount(rows[known], minlength=len(found))
    inside = np.bincount(rows[known & chosen[at_work.stack]], minlength=len(found))
    for row in np.flatnonzero(inside).tolist():
        found[row] = round(trace.threads[row].ns(*WORKING) * int(inside[row]) / int(many[row]))
    return found


def share_in(trace: Trace, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for every thread the share of its work that it did with some stacks."""
    worked = np.array([one.ns(*WORKING) for one in trace.threads], float)
    shares: NDArray[np.float64] = work_in(trace, chosen) / np.maximum(worked, 1)
    return shares


def _compiles(function: Function) -> bool:
    return standard_module(function.file) == "re/_compiler" and function.name == "compile"
