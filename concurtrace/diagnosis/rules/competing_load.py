"""Other programs use the cores.

What the target waits for cores that others have is not its fault, and no change of the code helps.
Times of such a run are longer than those of a quiet machine.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import share_text, time_text

OTHERS = 0.2
"""Share of all cores' time that other programs took (JMC's limit for competing CPU load)."""


def check(case: Case) -> Iterable[Answer]:
    """Look at what others took of the cores in the pass that recorded the states."""
    taken = case.recorded_by.competing_load if case.recorded_by else None
    if taken is None or taken < OTHERS:
        yield fine("Other programs left the cores to the target.", taken=taken or 0.0)
        return
    had = case.availability
    yield Answer(
        Severity.INFO,
        f"Other programs took {share_text(taken)} of all cores' time; the target had"
        f" {share_text(had)} of the core time that it wanted.",
        f"{time_text(case.ready_ns)} of waiting for a core is not the code's fault. Compare times"
        " of this run with care.",
        "Repeat the measurement on a quiet machine.",
        evidence={"taken": taken, "availability": had, "ready_ns": case.ready_ns},
        cause=Cause.OTHERS,
    )


RULE = Rule("competing-load", frozenset({Part.STATES, Part.READY}), check)
