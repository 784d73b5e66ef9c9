"""Sleep for pages of memory, as far as it can be told from other sleep."""

import numpy as np
from numpy.typing import NDArray

from concurtrace.diagnosis.case import Case
from concurtrace.model.states import Reason, State

FEWEST = 50
"""Faults of a thread: fewer are the start of an interpreter that nobody has run for a while."""


def faulting_rows(case: Case) -> list[int]:
    """List the threads that waited for many pages to be read from a disk."""
    threads = enumerate(case.trace.threads)
    return [row for row, one in threads if (one.major_faults or 0) >= FEWEST]


def asleep_for_pages(case: Case) -> NDArray[np.bool_]:
    """Select the spans in which those threads slept in the middle of their work, in no call.

    Where the kernel's switches were not recorded there are none.
    """
    asleep = case.select(State.UNKNOWN, Reason.OTHER) | case.select(State.GIL_BLOCKED, Reason.OTHER)
    return asleep & np.isin(case.trace.span_threads, faulting_rows(case))
