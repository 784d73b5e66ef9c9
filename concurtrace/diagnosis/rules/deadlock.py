"""Threads wait for locks that nobody will ever let go of.

Told when a run was stopped because it stood still, or by its time limit, or by a signal, while
threads stood before locks and nobody was at work.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.spans import SpanFlag
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Thread
from concurtrace.units import time_text

OLD_SHARE, OLD_NS = 0.2, 10_000_000_000
"""A wait that lasts until the end is stuck when it is older than a fifth of the run, or than ten
seconds: no lock is held that long on purpose while all others wait."""
STANDSTILL_NS = 2_000_000_000
"""The same where the run was stopped because it stood still: then it has been seen before."""
_IDLE = (Reason.IDLE_WORKER, Reason.QUEUE_EMPTY, Reason.JOIN, Reason.FUTURE)


def check(case: Case) -> Iterable[Answer]:
    """Look at the last wait of every thread of a run that did not end by itself."""
    trace = case.whole
    run = case.execution
    if run is not None and run.ended_by_itself and run.signal is None:
        yield fine("The run came to its end.")
        return
    old = min(OLD_SHARE * trace.wall_ns, OLD_NS)
    if run is not None and run.standstill:
        old = min(old, STANDSTILL_NS)
    stuck = [
        (thread, last) for thread in trace.threads if (last := _last(case, thread, old)) is not None
    ]
    locked = [(thread, last) for thread, last in stuck if _is_lock(case, last)]
    working = [one for one in trace.threads if _worked_late(case, one, old)]
    if len(locked) < 2 or working:
        yield fine("Threads were at work until the end.", stuck=len(locked))
        return
    spans = np.array([last for _, last in locked])
    waited = time_text(int(trace.spans.dur_ns[spans].max()))
    lines = [_story(case, thread, last) for thread, last in locked[:6]]
    yield Answer(
        Severity.WARNING,
        f"{plural(len(locked), 'thread')} waited for locks until the run was ended, for up to"
        f" {waited}, and no other thread was at work.",
        " ".join(lines),
        "Take locks in the same order everywhere, or hold only one at a time.",
        tuple(filter(None, (case.places.of(int(trace.spans.stack[one])) for one in spans)))[:6],
        (
            int(trace.spans.start_ns[spans].min()) - trace.start_ns,
            int(trace.spans.end_ns[spans].max()) - trace.start_ns,
        ),
        {"threads": len(locked), "waited_ns": int(trace.spans.dur_ns[spans].max())},
        gain_ns=int(trace.spans.dur_ns[spans].max()),
        cause=Cause.LOCK,
        thing="deadlock",
    )


def _last(case: Case, thread: Thread, old: float) -> int | None:
    """Return the span of a wait that is old and that nobody ended before the run was.

    A signal may have woken the thread at the very end.
    """
    spans = case.whole.spans
    mine = slice(thread.first, thread.last)
    late = spans.end_ns[mine] > case.whole.end_ns - old / 2
    found = np.flatnonzero(late & (spans.dur_ns[mine] >= old) & (spans.waker[mine] == 0))
    if not len(found):
        return None
    last = thread.first + int(found[-1])
    waits = (State.LOCK_WAIT.code, State.CONDITION_WAIT.code)
    timed = spans.flags[last] & SpanFlag.TIMED
    return last if spans.state[last] in waits and not timed else None


def _is_lock(case: Case, span: int) -> bool:
    reason = case.whole.spans.reason[span]
    return not any(reason == one.code for one in _IDLE)


def _worked_late(case: Case, thread: Thread, old: float) -> bool:
    spans = case.whole.spans_of(thread)
    late = spans.end_ns > case.whole.end_ns - old
    works = spans.in_state(State.RUNNING, State.RUNNING_NOGIL, State.RUNNABLE, State.GIL_WAIT)
    return bool(spans.dur_ns[late & works].sum() > old / 2)


def _story(case: Case, thread: Thread, span: int) -> str:
    row = int(case.whole.spans.object[span])
    made = case.places.of(case.whole.objects[row].created_stack)
    at = case.places.of(int(case.whole.spans.stack[span]))
    lock = f"the lock made at {made}" if made else "a lock"
    return f"{thread.name} waited for {lock}{f' at {at}' if at else ''}."


RULE = Rule("deadlock", frozenset({Part.STATES, Part.EXACT}), check)
