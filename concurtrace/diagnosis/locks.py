"""What the rules about locks share: which lock matters, and what its holders do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from concurtrace.analysis.contention import ContendedLock
from concurtrace.diagnosis import Cause
from concurtrace.diagnosis.case import Case
from concurtrace.model.states import State

LEAST_SHARE = 0.02
"""Share of the run that waits for a lock add up to from which it is looked at."""
GIL_SHARE = 0.5
"""Share of the holders' time with the GIL, or waiting for it, from which it is the cause: where
threads wait for the GIL anyway, they would without the lock too."""


IN_PYTHON = (State.RUNNING, State.GIL_WAIT, State.RUNNABLE)
"""What a holder does that needs the GIL; who lost its core kept the GIL meanwhile."""


def looked_at(case: Case) -> Iterator[ContendedLock]:
    """Go through the locks that cost enough to be judged, the costliest first."""
    for lock in case.locks:
        if lock.wait_ns >= LEAST_SHARE * case.wall_ns:
            yield lock


def on_path_ns(case: Case, lock: ContendedLock) -> int:
    """Measure how long the critical path was kept by the lock's holders while others waited."""
    return int(case.handed_on_ns[np.array(lock.objects, np.intp)].sum())


def gain_ns(case: Case, lock: ContendedLock) -> int:
    """Bound what doing without the lock would bring: what waits could have been done beside.

    Holders that compute need a core each, and with a GIL get one in all.
    """
    kept = on_path_ns(case, lock)
    ways = float(lock.waiters + 1)
    computing = lock.holder_share(State.RUNNING, State.RUNNING_NOGIL, State.GIL_WAIT)
    if computing > GIL_SHARE:
        ways = min(ways, max(case.cores, 1.0))
    return round(kept * (1 - 1 / ways))


def explained_by(lock: ContendedLock) -> frozenset[Cause]:
    """Say whether holders had the GIL or were kept by it; if it is contended, it is the cause."""
    in_python = lock.holder_share(*IN_PYTHON)
    return frozenset({Cause.GIL}) if in_python >= GIL_SHARE else frozenset()
