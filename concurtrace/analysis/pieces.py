"""Into how many pieces the work of a pool was cut."""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.crew import Crew, pool_workers
from concurtrace.analysis.pool_jobs import PoolJobs
from concurtrace.model.states import Reason
from concurtrace.model.trace import ObjectKind, Trace


def most_pieces(trace: Trace, crew: Crew, pools: Iterable[PoolJobs]) -> int | None:
    """Count the pieces of work that a pool's workers got, at most; None where that is not known.

    Calls given to threads are recorded one by one. A process locks its pool's queue whenever it
    takes a piece, and once more for the end.
    """
    if not pool_workers(trace)[list(crew.rows)].all():
        return None
    if crew.of_processes:
        return _taken(trace, crew)
    given = [len(one.jobs) for one in pools if set(one.rows) <= set(crew.rows)]
    return sum(given) or None


def _taken(trace: Trace, crew: Crew) -> int | None:
    spans = trace.spans
    idle = (spans.reason == Reason.IDLE_WORKER.code) & np.isin(trace.span_threads, crew.rows)
    waited_for = [trace.objects[row] for row in np.unique(spans.object[idle]).tolist()]
    keys = {one.key for one in waited_for if one.kind is ObjectKind.MP_LOCK}
    processes = {one.process for one in crew.threads}
    counts = []
    for key in keys:
        mine = [
            one
            for one in trace.objects
            if one.kind is ObjectKind.MP_LOCK and one.key == key and one.process in processes
        ]
        if {one.process for one in mine} == processes:
            counts.append(sum(one.acquisitions for one in mine))
    # Results go through a lock of their own, which is taken no more often.
    return min(counts, default=0) or None
