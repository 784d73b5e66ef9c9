"""Calls given to executors' threads, pool by pool: how long each waited for a thread, and took."""

import heapq
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import Times
from concurtrace.model.tasks import Jobs, TaskTrace
from concurtrace.model.trace import Trace


@dataclass(frozen=True, eq=False)
class PoolJobs:
    """The calls that one pool's threads ran, in the order in which they were given.

    ``rows`` are the threads, as rows of ``Trace.threads``; ``worker`` tells which ran each call.
    """

    name: str
    rows: tuple[int, ...]
    jobs: Jobs
    worker: NDArray[np.intp]

    @property
    def waited_ns(self) -> Times:
        """How long each call waited for a thread."""
        return self.jobs.started_ns - self.jobs.submitted_ns

    @property
    def took_ns(self) -> Times:
        """How long each call took once it had one."""
        return self.jobs.ended_ns - self.jobs.started_ns

    def waits_without(self, left_out: NDArray[np.bool_]) -> Times:
        """Replay the queue as if some calls had a lane of their own: how long the others wait.

        First come, first served, by as many threads as there were; calls take as long as they did.
        """
        free = [0] * len(self.rows)
        waits = []
        kept = self.jobs.take(~left_out)
        lasts = (kept.ended_ns - kept.started_ns).tolist()
        for given, took in zip(kept.submitted_ns.tolist(), lasts, strict=True):
            start = max(given, free[0])
            heapq.heapreplace(free, start + took)
            waits.append(start - given)
        return np.array(waits, np.int64)


def pool_jobs(tasks: TaskTrace, trace: Trace) -> tuple[PoolJobs, ...]:
    """Group the calls that were run by the pool whose threads ran them; the largest first."""
    jobs = tasks.jobs
    done = (jobs.started_ns >= jobs.submitted_ns) & (jobs.ended_ns >= jobs.started_ns)
    jobs = jobs.take(done & (jobs.submitted_ns > 0))
    jobs = jobs.take(np.argsort(jobs.submitted_ns, kind="stable"))
    worker = trace.rows_of(jobs.tid, jobs.started_ns)
    pools: dict[tuple[int, str], list[int]] = defaultdict(list)
    for row in np.unique(worker[worker >= 0]).tolist():
        thread = trace.threads[row]
        # concurrent.futures numbers the threads of a pool: "resize_0", "resize_1".
        pools[thread.process, thread.name.rpartition("_")[0] or thread.name].append(row)
    found = []
    for (_, name), rows in pools.items():
        mine = np.isin(worker, rows)
        found.append(PoolJobs(name, tuple(rows), jobs.take(mine), worker[mine]))
    return tuple(sorted(found, key=lambda one: (-len(one.jobs), one.name)))
