"""A lock is taken very often and hardly ever had to be waited for.

Every acquisition costs time of its own. SyncPerf's quadrant of low conflict and high frequency.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import count_text, share_text

PER_MS = 20.0
"""Acquisitions per millisecond of CPU time: an uncontended acquire and release through `with` costs
about 0.1 µs to 1 µs, so from here on they may take some percent of the run."""
CONFLICTS = 0.05
"""Share of acquisitions that had to wait above which contention, not frequency, is the matter."""


def check(case: Case) -> Iterable[Answer]:
    """Look for the lock taken most often."""
    objects = case.trace.objects
    locks = [one for one in objects[1:] if one.kind.is_lock and not one.only_counted]
    most = max(locks, key=lambda one: one.acquisitions, default=None)
    used_ms = max(case.cpu_ns / 1e6, 1.0)
    if most is None or most.acquisitions / used_ms < PER_MS:
        yield fine("No lock was taken too often.")
        return
    conflicts = most.contended / most.acquisitions
    if conflicts >= CONFLICTS:
        yield fine("The lock taken most often is also waited for: that is told elsewhere.")
        return
    place = case.places.of(most.created_stack)
    yield Answer(
        Severity.INFO,
        f"A lock was taken {count_text(most.acquisitions)} times, and only"
        f" {share_text(conflicts)} of them had to wait.",
        "Taking and letting go of it costs more than what it prevents.",
        "Take it once for many items.",
        (place,) if place else (),
        evidence={"acquisitions": most.acquisitions, "contended": most.contended},
        cause=Cause.LOCK,
        thing=place or "",
    )


RULE = Rule("over-synchronisation", frozenset({Part.STATES, Part.EXACT}), check)
