"""The main thread waits for a lock whose holder does not get to run.

Who holds the lock waits itself, for the GIL or for a core, behind threads that matter less. The
main thread often serves a user or a clock, so its waits are looked at apart from those of workers.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.contention import holder_states
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import count_text, share_text, time_text

WAITED = Limits(0.1, 0.2)
"""Share of the run that a main thread stands before locks."""
KEPT = 0.5
"""Share of that time in which the holder was kept from running."""
WORKER = 0.2
"""A main thread that is at work for more of the run is one worker among others."""
CROWDED = 0.5
"""Share of the run with more of the target's threads than cores: else other programs kept the
holder from its core, which is not the program's fault."""


def check(case: Case) -> Iterable[Answer]:
    """Look at what holders do while main threads wait for them."""
    trace = case.trace
    mains = [
        row
        for row, one in enumerate(trace.threads)
        if one.is_main and one.ns(*WORKING) <= WORKER * case.wall_ns
    ]
    waits = case.mask_of(mains, State.LOCK_WAIT)
    waited = int(trace.spans.dur_ns[waits].sum())
    doing, _ = holder_states(trace, np.flatnonzero(waits))
    known = sum(doing.values())
    kept = doing.get(State.GIL_WAIT, 0)
    if case.concurrency.share_of(case.concurrency.ready_ns, int(case.cores) + 1) >= CROWDED:
        kept += doing.get(State.RUNNABLE, 0)
    severity = WAITED.judge(waited / case.wall_ns)
    if severity is Severity.OK or not known or kept < KEPT * known:
        yield fine("No main thread waited for a lock whose holder could not run.", wait_ns=waited)
        return
    yield Answer(
        severity,
        f"A main thread waited {time_text(waited)} for locks whose holders were themselves kept"
        f" from running for {share_text(kept / known)} of that time.",
        f"In {count_text(int(waits.sum()))} waits the holder stood in line for the GIL or a core,"
        " behind threads that the main thread does not need.",
        "Do not share a lock between the main thread and threads that compute: hand it copies by a"
        " queue, or hold the lock only where nothing is computed.",
        case.where(waits),
        case.window(waits),
        {"wait_ns": waited, "kept_share": kept / known, "waits": int(waits.sum())},
        gain_ns=round(waited * kept / known),
        cause=Cause.LOCK,
        thing="main thread",
        explained_by=frozenset({Cause.GIL, Cause.CORES}),
    )


RULE = Rule("priority-inversion", frozenset({Part.STATES, Part.EXACT}), check)
