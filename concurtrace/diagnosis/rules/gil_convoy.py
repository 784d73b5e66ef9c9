"""Threads that come back from a wait queue behind one that computes.

A thread gives up the GIL for every read, write or sleep, and must take it again afterwards. A
thread that computes lets go of it only when asked, a switch interval later: each short wait of the
others becomes as long as that. See CPython issue 52194 (bpo-7946).
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.model.trace import Trace
from concurtrace.units import count_text, time_text

FEWEST = 20
"""Fewer returns say nothing about a habit."""
MEAN_OF_INTERVAL = 0.5
"""Mean wait in switch intervals: a waiter asks for the GIL one interval after it began to wait, so
half of one is the mean behind a thread that never lets go by itself."""
SHARE = Limits(0.02, 0.1)
"""Share of the run that a thread loses in these waits, where it loses most."""
COMPUTES = 0.8
"""Share of its life that a thread wants the GIL from which it is said to compute."""

_BEFORE = (State.IO_WAIT, State.SLEEP, State.CONDITION_WAIT, State.LOCK_WAIT, State.CHILD_WAIT)


def check(case: Case) -> Iterable[Answer]:
    """Look at waits for the GIL that follow a wait for something else."""
    trace = case.trace
    spans, rows = trace.spans, trace.span_threads
    returns = _returns(case)
    back = np.flatnonzero(returns)
    holders = trace.rows_of(spans.waker[back], spans.end_ns[back])
    computing = np.append(_computing(trace), False)[holders]
    returns[back[~computing]] = False
    count = int(returns.sum())
    mean = float(spans.dur_ns[returns].mean()) if count else 0.0
    if count < FEWEST or mean < MEAN_OF_INTERVAL * case.switch_interval_ns:
        yield fine("Threads that came back from a wait got the GIL soon.", returns=count)
        return
    lost = np.bincount(rows[returns], spans.dur_ns[returns], len(trace.threads))
    victim, holder = (
        trace.threads[int(lost.argmax())],
        int(np.bincount(holders[computing]).argmax()),
    )
    worst = int(lost.max())
    severity = SHARE.judge(worst / case.wall_ns)
    yield Answer(
        severity,
        f"Each of {count_text(count)} returns from a wait waited {time_text(mean)} for the GIL,"
        f" held by {trace.threads[holder].name}.",
        f"{plural(int((lost > 0).sum()), 'thread')} that mostly wait for something else queue"
        f" behind a thread that computes; {victim.name} lost {time_text(worst)}. The interpreter"
        f" asks the holder to let go only after {time_text(case.switch_interval_ns)}.",
        "Move the computing thread to a process; or lower sys.setswitchinterval(), and make"
        " fewer, larger reads and writes.",
        (*case.sampled([holder], 2), *case.where(returns, 1)),
        case.window(returns),
        {
            "returns": count,
            "mean_ns": round(mean),
            "wait_ns": int(lost.sum()),
            "longest_loss_ns": worst,
            "holder": trace.threads[holder].name,
        },
        gain_ns=worst if severity is not Severity.OK else 0,
        cause=Cause.GIL,
    )


def _returns(case: Case) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Select waits for the GIL that follow a wait for something else.

    Between the two a thread may wait for a core, and run the end of its system call.
    """
    spans, rows = case.trace.spans, case.trace.span_threads
    place = np.arange(len(spans))
    between = spans.in_state(State.RUNNABLE, State.RUNNING_NOGIL)
    before = np.maximum.accumulate(np.where(between, 0, place))
    before = before[np.maximum(place - 1, 0)]
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        spans.in_state(State.GIL_WAIT)
        & spans.in_state(*_BEFORE)[before]
        & (rows == rows[before])
        & (before < place)
    )
    return found


def _computing(trace: Trace) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    wants = (State.RUNNING, State.GIL_WAIT, State.RUNNABLE)
    return np.array(
        [one.ns(*wants) >= COMPUTES * one.lifetime_ns > 0 for one in trace.threads], bool
    )


RULE = Rule(
    "gil-convoy",
    frozenset({Part.STATES, Part.EXACT, Part.GIL}),
    check,
    refines=frozenset({"gil-saturation", "negative-scaling"}),
)
