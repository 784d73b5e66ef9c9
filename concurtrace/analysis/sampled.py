"""Where running threads were seen, each sample with the CPU time that it stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import WORKING
from concurtrace.model.spans import Numbers
from concurtrace.model.trace import Trace


@dataclass(frozen=True, eq=False)
class SampledWork:
    """Samples of threads at work: the thread's row, the stack, and the time on a core in ns."""

    thread: NDArray[np.intp]
    stack: Numbers
    ns: NDArray[np.float64]


def sampled_work(trace: Trace) -> SampledWork:
    """Weigh the samples of threads that were at work.

    A sample stands for the time since the one before. Where the kernel told a thread's CPU time,
    that is what its samples share: where nobody saw the switches, the time since the one before
    may have been time without a core.
    """
    samples = trace.samples
    if samples is None:
        return SampledWork(np.empty(0, np.intp), np.empty(0, np.uint32), np.empty(0))
    rows = trace.rows_of(samples.tid, samples.time_ns)
    chosen = np.isin(samples.state, [one.code for one in WORKING]) & (rows >= 0)
    rows, stack, weights = rows[chosen], samples.stack[chosen], samples.weight_ns[chosen]
    seen = np.bincount(rows, weights, len(trace.threads))
    told = [one.cpu_ns for one in trace.threads]
    used = np.array([ns if cpu is None else cpu for ns, cpu in zip(seen, told, strict=True)])
    return SampledWork(rows, stack, weights * (used / np.maximum(seen, 1))[rows])
