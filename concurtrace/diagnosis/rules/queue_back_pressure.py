"""Producers wait before a full queue because what empties it is too slow.

Scalasca's Late Receiver. A bound on the queue is right; it shows which side is the bottleneck.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import share_text, time_text

FULL = Limits(0.2, 0.4)
"""Share of the run that a producer spends before a full queue, where it is most."""


def check(case: Case) -> Iterable[Answer]:
    """Measure waits before full queues."""
    waits = case.select(State.CONDITION_WAIT, Reason.QUEUE_FULL)
    rows = case.trace.span_threads[waits]
    per_thread = np.bincount(rows, case.trace.spans.dur_ns[waits], len(case.trace.threads))
    worst = int(per_thread.max()) if len(per_thread) else 0
    share = worst / case.wall_ns
    severity = FULL.judge(share)
    if severity is Severity.OK:
        yield fine("No producer waited long before a full queue.", full=share)
        return
    producers = int((per_thread > 0).sum())
    takers = case.wakers(waits)
    consumers = np.unique(takers[takers >= 0]).tolist()
    yield Answer(
        severity,
        f"{plural(producers, 'producer')} waited {time_text(int(per_thread.sum()))} before a full"
        f" queue, one of them {share_text(share)} of the run.",
        f"{plural(len(consumers), 'consumer')} did not empty it as fast.",
        "Add consumers, make each item cheaper for them, or let them take several at once. A larger"
        " queue only hides it.",
        (*case.sampled(consumers, 2), *case.where(waits, 1)),
        case.window(waits),
        {"wait_ns": int(per_thread.sum()), "share": share, "consumers": len(consumers)},
        gain_ns=round(worst * 0.5) if len(consumers) else 0,
        cause=Cause.QUEUE,
        thing="full",
        explained_by=frozenset({Cause.GIL}),
    )


RULE = Rule("queue-back-pressure", frozenset({Part.STATES, Part.EXACT}), check)
