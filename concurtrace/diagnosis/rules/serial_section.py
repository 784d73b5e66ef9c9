"""Parallel work waits while one thread works alone.

What only one thread does bounds what more workers can bring (Amdahl's law). Looked at only where
there are workers: a program that does one thing after the other is sequential on purpose.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.concurrency import WANTING, WORKING, Steps
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import share_text

ALONE = Limits(0.2, 0.5)
"""Share of the run: at a fifth, ten cores bring less than four, at a half less than two."""
PARALLEL = 0.2
"""Share of the run with two at work from which a program is meant to be parallel."""

_OF_OTHERS = (Reason.IPC.code, Reason.POLL.code, Reason.IDLE_WORKER.code)


def check(case: Case) -> Iterable[Answer]:
    """Measure how long each thread was the only one that had something to do."""
    trace, figures = case.trace, case.concurrency
    if len(case.workers) < 2 or figures.share_of(figures.wanting_ns, 2) < PARALLEL:
        yield fine("Nothing here is meant to run in parallel.", workers=len(case.workers))
        return
    spans = trace.spans
    active = spans.in_state(*WANTING, State.SLEEP)
    active |= spans.in_state(State.IO_WAIT) & ~np.isin(spans.reason, _OF_OTHERS)
    working = spans.in_state(*WORKING)
    alone = Steps.during(trace, active).inside(1, spans.start_ns[working], spans.end_ns[working])
    per_thread = np.bincount(trace.span_threads[working], alone, len(trace.threads))
    row, whole = int(per_thread.argmax()), int(per_thread.sum())
    share = whole / case.wall_ns
    severity = ALONE.judge(share)
    if severity is Severity.OK:
        yield fine(f"One thread alone worked {share_text(share)} of the time.", alone=share)
        return
    thread = trace.threads[row]
    name = f"{thread.name} of {trace.processes[thread.process].name}"
    most = np.flatnonzero(working)[alone > 0]
    where = case.sampled([row]) or case.where(most)
    limit = 1 / (share + (1 - share) / case.cores)
    yield Answer(
        severity,
        f"For {share_text(share)} of the run only one thread worked, mostly {name}; the others"
        " waited for it.",
        f"With {case.cores:g} cores that bounds the speed-up to {limit:.2g}, with any number to"
        f" {1 / share:.2g}.",
        "Divide that part too, do it while the workers work, or hand out work as soon as the first"
        " of it is ready.",
        where,
        case.window(np.isin(np.arange(len(spans)), most)),
        {"alone": share, "alone_ns": whole, "most_ns": int(per_thread[row]), "thread": name},
        gain_ns=round(whole * (1 - 1 / max(case.cores, 1.0))),
        cause=Cause.WORK,
        thing="serial",
        explained_by=frozenset(
            {Cause.GIL, Cause.LOCK, Cause.START, Cause.IPC, Cause.QUEUE, Cause.POOL, Cause.WORK}
        ),
    )


RULE = Rule("serial-section", frozenset({Part.STATES}), check)
