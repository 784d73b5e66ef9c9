"""Many threads are woken for something that only one of them gets; the others go back to sleep.

``notify_all`` or ``Event.set`` wakes all who wait. Where there is work for one, each of the others
takes the GIL and the lock only to find that it came too late.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import WORKING
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import count_text, share_text, significant

HERD = 3
"""Threads woken at once by one thread: fewer are a pair."""
WITHIN_NS = 1_000_000
"""Wake-ups by one thread belong together when no more lies between two of them."""
FUTILE_NS = 1_000_000
"""A thread that worked for less before it waits at the same place again had nothing to do."""
PER_SECOND = Limits(50, 200)
"""Futile wake-ups a second. Each costs a switch, the lock and the GIL, about 50 us to 100 us
together: from 200 on a percent or two of a core, and as much waiting for all others."""
MOSTLY = 0.5
"""Share of the wake-ups in herds that were futile."""
COST_NS = 50_000
"""What a futile wake-up costs at least."""


def check(case: Case) -> Iterable[Answer]:
    """Find waits that one thread ended at once, and who waits again without having worked."""
    waits = case.select(State.CONDITION_WAIT) & (case.trace.spans.waker != 0)
    waits &= case.trace.spans.reason != Reason.IDLE_WORKER.code
    places = np.flatnonzero(waits)
    herd = _in_herd(case, places)
    futile = places[herd & _futile(case, places)]
    rate = len(futile) / (case.wall_ns / 1e9)
    share = len(futile) / max(int(herd.sum()), 1)
    severity = PER_SECOND.judge(rate)
    if severity is Severity.OK or share < MOSTLY:
        yield fine("Threads were woken when there was something for them to do.", futile=rate)
        return
    chosen = case.mask(futile)
    yield Answer(
        severity,
        f"Threads were woken {significant(rate)} times a second for nothing: several at once,"
        " of which all but one or two went back to sleep at once.",
        f"{count_text(len(futile))} of {count_text(int(herd.sum()))} wake-ups of {HERD} or more"
        f" threads at a time ({share_text(share)}) led to no work.",
        "Wake as many as there is work for: Condition.notify(1), a Queue, or a Semaphore; or give"
        " each waiter an event of its own.",
        case.where(chosen),
        case.window(chosen),
        {"futile": len(futile), "woken": int(herd.sum()), "per_second": rate},
        gain_ns=min(len(futile) * COST_NS, case.wall_ns // 2),
        cause=Cause.QUEUE,
        thing="herd",
    )


def _in_herd(case: Case, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which waits ended together with others' waits, by one thread at nearly the same time."""
    spans = case.trace.spans
    order = np.lexsort((spans.end_ns[places], spans.waker[places]))
    ends, wakers = spans.end_ns[places][order], spans.waker[places][order]
    apart = np.ones(len(places), bool)
    apart[1:] = (np.diff(wakers) != 0) | (np.diff(ends) > WITHIN_NS)
    wave = np.cumsum(apart) - 1
    # A thread that is woken again and again by one other is no herd.
    each = np.unique(np.stack((wave, case.trace.span_threads[places][order])), axis=1)
    sizes = np.bincount(each[0], minlength=1)
    found = np.zeros(len(places), bool)
    found[order] = sizes[wave] >= HERD
    return found


def _futile(case: Case, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell after which waits the thread waited at the same place again, having hardly worked."""
    spans, threads = case.trace.spans, case.trace.span_threads
    worked = np.concatenate(([0], np.cumsum(np.where(spans.in_state(*WORKING), spans.dur_ns, 0))))
    again = np.zeros(len(places), bool)
    here, then = places[:-1], places[1:]
    again[:-1] = (
        (threads[here] == threads[then])
        & (spans.stack[here] == spans.stack[then])
        & (worked[then] - worked[here] < FUTILE_NS)
    )
    return again


RULE = Rule("thundering-herd", frozenset({Part.STATES, Part.EXACT}), check)
