"""Threads that arrive early at a barrier wait long for the last.

Every round takes as long as its slowest member (Scalasca's Wait at Barrier).
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import share_text, time_text

WAITED = Limits(0.15, 0.3)
"""Mean share of the run that members wait at a barrier; equal parts on a machine that is not quiet
leave a tenth."""


def check(case: Case) -> Iterable[Answer]:
    """Measure waits at barriers, and find who came last most often."""
    waits = case.select(State.CONDITION_WAIT, Reason.BARRIER)
    rows = np.unique(case.trace.span_threads[waits])
    whole = int(case.trace.spans.dur_ns[waits].sum())
    mean = whole / max(len(rows), 1)
    severity = WAITED.judge(mean / case.wall_ns)
    if severity is Severity.OK:
        yield fine("No barrier was waited at for long.", waited_share=mean / case.wall_ns)
        return
    wakers = case.wakers(waits)
    times = case.trace.spans.dur_ns[waits]
    known = wakers >= 0
    blamed = np.bincount(wakers[known], times[known], len(case.trace.threads))
    last = int(blamed.argmax())
    name = case.trace.threads[last].name if known.any() else "a thread not known"
    yield Answer(
        severity,
        f"Threads waited {time_text(whole)} at barriers, {share_text(mean / case.wall_ns)} of the"
        f" run each on average; {name} came last for {share_text(blamed[last] / max(whole, 1))}"
        " of that.",
        "Each round lasts as long as its slowest member.",
        "Divide the work of a round evenly, or let members run ahead where they may.",
        (*case.sampled([last], 2), *case.where(waits, 1)),
        case.window(waits),
        {"wait_ns": whole, "threads": len(rows), "last": name},
        gain_ns=round(mean),
        cause=Cause.WORK,
        thing="barrier",
        explained_by=frozenset({Cause.GIL}),
    )


RULE = Rule("barrier-wait", frozenset({Part.STATES, Part.EXACT}), check)
