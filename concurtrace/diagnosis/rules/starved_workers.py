"""Workers wait before an empty queue because what fills it is too slow.

Scalasca's Late Sender: the delay is the producer's, not the workers'. A pool's worker without work
is idle, which is no problem, and is not meant here.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.contention import holder_states
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import share_text, time_text

STARVED = Limits(0.3, 0.5)
"""Share of their lives that workers spend before an empty queue."""
BUSY = 0.5
"""Share of that time the producer is at work: else it waits itself, and something else is late."""
FEWEST = 3
"""Waits: one or two are the first item and the end."""


def check(case: Case) -> Iterable[Answer]:
    """Look at waits for an empty queue and at what the thread did that ended each."""
    waits = case.select(State.CONDITION_WAIT, Reason.QUEUE_EMPTY)
    rows, counts = np.unique(case.trace.span_threads[waits], return_counts=True)
    often = rows[counts >= FEWEST].tolist()
    threads = [case.trace.threads[row] for row in often]
    life = sum(one.lifetime_ns for one in threads)
    mine = waits & np.isin(case.trace.span_threads, often)
    waited = int(case.trace.spans.dur_ns[mine].sum())
    share = waited / life if life else 0.0
    doing, _ = holder_states(case.trace, np.flatnonzero(mine))
    known = sum(doing.values())
    working = sum(
        doing.get(state, 0)
        for state in (State.RUNNING, State.RUNNING_NOGIL, State.RUNNABLE, State.GIL_WAIT)
    )
    # A producer that is ready without a core is late by no fault of its own.
    on_core = (working - doing.get(State.RUNNABLE, 0)) / max(working, 1)
    severity = STARVED.judge(share * on_core)
    if severity is Severity.OK or not known or working < BUSY * known:
        yield fine("No worker starved before a queue that another fills.", starved=share)
        return
    wakers = case.wakers(mine)
    producers = np.unique(wakers[wakers >= 0]).tolist()
    name = case.trace.threads[producers[0]].name if len(producers) == 1 else "the producers"
    yield Answer(
        severity,
        f"{plural(len(threads), 'worker')} spent {share_text(share)} of their lives"
        f" ({time_text(waited)}) before an empty queue while {name} worked to fill it.",
        "The workers are faster than what feeds them: more of them bring nothing.",
        "Make the producer faster: move work from it to the workers, or use several producers.",
        (*case.sampled(producers, 2), *case.where(mine, 1)),
        case.window(mine),
        {"starved": share, "wait_ns": waited, "workers": len(threads), "producers": len(producers)},
        gain_ns=min(round(waited / max(len(threads), 1)), case.wall_ns),
        cause=Cause.QUEUE,
        thing="starved",
        explained_by=frozenset({Cause.GIL}),
    )


RULE = Rule("starved-workers", frozenset({Part.STATES, Part.EXACT}), check)
