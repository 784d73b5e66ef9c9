"""A lock is so busy that threads always queue for it.

Where a lock is held nearly all of the time and several threads stand before it, the lock sets the
pace: work flows at one hold after the other, whatever the number of threads.
"""

from collections.abc import Iterable

from concurtrace.analysis.contention import queue_share, waited_share
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.locks import explained_by, gain_ns, looked_at
from concurtrace.model.report import Severity
from concurtrace.units import share_text, time_text

BUSY = 0.9
"""Share of the time from the first wait to the last in which the lock is held or being handed over
to who waits for it: from 0.9 on the queue before a server grows without bound."""
QUEUED = 0.5
"""Share of the time with waiters in which there are two or more: a queue, not a meeting."""
CONFLICTS = 0.1
"""Share of acquisitions that had to wait: twice what SyncPerf calls contended. It is not nearer to
one because Python's locks are unfair: who lets go often takes the lock again before others wake."""


def check(case: Case) -> Iterable[Answer]:
    """Judge locks by how busy they are and how many stand before them."""
    found = False
    for lock in looked_at(case):
        first, last = case.window(case.mask(lock.waits)) or (0, 1)
        # From the first wait to the last: before and after, nobody competed for it.
        held = lock.hold_ns / len(lock.objects) / max(last - first, 1)
        waited = waited_share(case.trace, lock.waits)
        busy = min(1.0, max(held, waited))
        queued = queue_share(case.trace, lock.waits, 2)
        conflicts = lock.contended / max(lock.acquisitions, lock.contended, 1)
        if busy < BUSY or queued < QUEUED or conflicts < CONFLICTS:
            continue
        found = True
        waits = case.mask(lock.waits)
        mean = lock.hold_ns / max(lock.acquisitions, 1)
        yield Answer(
            Severity.WARNING,
            f"Threads queued for {lock.name}: it was taken {share_text(busy)} of the time"
            f" and {share_text(conflicts)} of its {lock.acquisitions} acquisitions had to wait.",
            f"A hold took {time_text(mean)}, so no more than one piece of work in that time gets"
            " done, however many threads there are.",
            "Shorten what is done under it, take it once for many items, or divide the data among"
            " several locks.",
            case.where(waits),
            case.window(waits),
            {"busy_share": busy, "queued_share": queued, "mean_hold_ns": round(mean)},
            gain_ns=gain_ns(case, lock),
            cause=Cause.LOCK,
            thing=lock.name,
            explained_by=explained_by(lock),
        )
    if not found:
        yield fine("No lock was held so much that threads queued for it.")


RULE = Rule(
    "lock-convoy",
    frozenset({Part.STATES, Part.EXACT}),
    check,
    refines=frozenset({"lock-contention", "critical-path-lock"}),
)
