"""A part of the figures is estimated, because its source could not be had on this machine."""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.trace import CoreSource, Origin


def check(case: Case) -> Iterable[Answer]:
    """Say where states and cores come from when that is not the best source."""
    trace = case.whole
    lacks = []
    if trace.origin is not Origin.RECORDED:
        lacks.append(f"the states are {trace.origin.value}")
    if trace.core_source is not CoreSource.SWITCHES:
        lacks.append(f"who had a core comes from {trace.core_source.value}")
    if not lacks:
        yield fine("Everything was recorded from its best source.")
        return
    text = " and ".join(lacks)
    yield Answer(
        Severity.INFO,
        f"{text[:1].upper()}{text[1:]}.",
        "Shares of RUNNING and RUNNABLE are less certain.",
        "`concurtrace doctor` says what is missing and what would help.",
        evidence={"states": trace.origin.value, "cores": trace.core_source.value},
        cause=Cause.RECORDING,
    )


RULE = Rule("degraded-source", frozenset({Part.STATES}), check)
