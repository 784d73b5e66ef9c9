"""Threads spent time that no state explains.

What the recorder does not see stays UNKNOWN rather than being guessed; where it is much, other
shares are too small.
"""

from collections.abc import Iterable

from concurtrace.analysis.states import unknown_share
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import share_text

SHARE = 0.02
"""Share of a thread's life, as the list of states promises."""


def check(case: Case) -> Iterable[Answer]:
    """Look at the thread of which least is known."""
    share = unknown_share(case.trace)
    if share < SHARE:
        yield fine("The states explain nearly all time.", unknown_share=share)
        return
    yield Answer(
        Severity.INFO,
        f"Of one thread, {share_text(share)} of its life is not explained by any state.",
        "Other states of it may have lasted longer than shown.",
        "See which thread it is among the states of each thread.",
        evidence={"unknown_share": share},
        cause=Cause.RECORDING,
    )


RULE = Rule("unknown-time", frozenset({Part.STATES}), check)
