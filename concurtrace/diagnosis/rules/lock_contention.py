"""Threads wait long for a lock that others hold.

What is done under a lock is done by one thread at a time. Waits alone are no problem; waits that
add up to the length of the run, or that decide its length, are.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.locks import explained_by, gain_ns, looked_at, on_path_ns
from concurtrace.model.report import Severity
from concurtrace.units import count_text, share_text, time_text

WAITED = Limits(0.21, 1.0)
"""Waits of all threads by the length of the run: JMC informs from 21 % of the recording on, and
warns when threads were kept out for as long as it lasted."""
ON_PATH = Limits(0.1, 0.2)
"""Share of the run that the critical path spent with holders while others waited for them: a
fifth of the run could be won at most."""


def check(case: Case) -> Iterable[Answer]:
    """Judge every lock by what its waiters lost and by what the critical path lost."""
    found = False
    for lock in looked_at(case):
        waited, on_path = lock.wait_ns / case.wall_ns, on_path_ns(case, lock) / case.wall_ns
        severity = _worse(WAITED.judge(waited), ON_PATH.judge(on_path))
        # How many acquisitions waited says little: an unfair lock makes few waits, but long ones.
        if severity is Severity.OK:
            continue
        found = True
        waits = case.mask(lock.waits)
        yield Answer(
            severity,
            f"{plural(lock.waiters, 'thread')} waited {time_text(lock.wait_ns)} for {lock.name}.",
            f"{count_text(lock.contended)} of {count_text(lock.acquisitions or lock.contended)}"
            f" acquisitions had to wait. Holders kept the critical path for"
            f" {share_text(on_path)} of the run while others stood before the lock.",
            "Hold it for less: prepare data before, work on copies after. Or give each thread, or"
            " each part of the data, a lock of its own.",
            case.where(waits),
            case.window(waits),
            {
                "wait_ns": lock.wait_ns,
                "contended": lock.contended,
                "acquisitions": lock.acquisitions,
                "hold_ns": lock.hold_ns,
                "on_path_ns": on_path_ns(case, lock),
                "threads": lock.waiters,
            },
            gain_ns=gain_ns(case, lock),
            cause=Cause.LOCK,
            thing=lock.name,
            explained_by=explained_by(lock),
        )
    if not found:
        yield fine("No lock kept threads waiting for long.", locks=len(case.locks))


def _worse(one: Severity, other: Severity) -> Severity:
    order = (Severity.WARNING, Severity.INFO, Severity.OK)
    return min(one, other, key=order.index)


RULE = Rule(
    "lock-contention",
    frozenset({Part.STATES, Part.EXACT}),
    check,
    refines=frozenset({"critical-path-lock", "coarse-critical-section"}),
)
