"""Threads take the same locks in opposite orders: one day each holds what the other waits for.

Told whether or not anything stood still, from the order in which locks were taken. No cycle is told
that one thread alone goes through, that a further lock guards (a gate), or whose threads never
lived at one time. A lock taken only if it is free counts too: nothing tells it apart.
"""

from collections.abc import Iterable

from concurtrace.analysis.contention import lock_name
from concurtrace.analysis.lock_order import Inversion, inversions
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity


def check(case: Case) -> Iterable[Answer]:
    """Look for cycles in the order in which locks were taken."""
    trace = case.whole
    found = inversions(trace)
    if not found:
        yield fine("Locks were taken in one order.", orders=len(trace.orders))
        return
    first, *others = found
    places = [case.places.of(step.order.stack) for step in first.steps]
    more = f" So do {plural(len(others), 'other row')} of locks." if others else ""
    yield Answer(
        Severity.WARNING,
        f"{plural(len(first.steps), 'lock')} are taken in orders that contradict each other:"
        " threads that do so at the same moment wait for each other for ever.",
        " ".join(_story(case, first)) + more,
        "Take locks in one order everywhere, for example by an id, or hold only one at a time.",
        tuple(dict.fromkeys(place for place in places if place)),
        evidence={"locks": len(first.steps), "cycles": len(found), "orders": len(trace.orders)},
        cause=Cause.LOCK,
        thing="deadlock",
    )


def _story(case: Case, one: Inversion) -> Iterable[str]:
    trace = case.whole
    names = {thread.tid: thread.name for thread in trace.threads}
    for step, tid in zip(one.steps, one.tids, strict=True):
        who = names.get(tid, "another thread")
        at = case.places.of(step.order.stack)
        held, taken = (lock_name(trace, trace.objects[row]) for row in (step.held, step.taken))
        yield f"{who} held {held} and took {taken}{f' at {at}' if at else ''}."


RULE = Rule("lock-order-inversion", frozenset({Part.STATES, Part.EXACT}), check)
