"""A part of what happened was not recorded.

Killed processes, a full disk or a spent budget leave holes. What is missing is in no figure.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity


def check(case: Case) -> Iterable[Answer]:
    """List what the recorders of wait states and of tasks say that they lost."""
    losses = case.whole.losses + case.loops.tasks.losses
    if not losses:
        yield fine("Nothing was lost.")
        return
    named = "; ".join(f"{one.what}: {one.reason}" for one in losses[:3])
    yield Answer(
        Severity.INFO,
        f"Parts of the recording were lost: {named}.",
        "What these rules say rests on the rest.",
        "Let processes end by themselves; give more room with --max-trace-size.",
        evidence={"losses": len(losses)},
        cause=Cause.RECORDING,
    )


RULE = Rule("lost-events", frozenset({Part.STATES}), check)
