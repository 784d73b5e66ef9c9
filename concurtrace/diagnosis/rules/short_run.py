"""The run was too short to say much.

Chance, and what the system does beside, weigh as much as the program itself.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import time_text

LEAST_NS = 300_000_000
"""Some 60 switch intervals: fewer turns at the GIL, or slices of a core, are no habit."""


def check(case: Case) -> Iterable[Answer]:
    """Look at how long the work took."""
    if case.wall_ns >= LEAST_NS:
        yield fine("The run was long enough.", wall_ns=case.wall_ns)
        return
    yield Answer(
        Severity.INFO,
        f"The work took only {time_text(case.wall_ns)}; its figures rest on little.",
        "A share of so short a time may come from a single event.",
        "Give it more to do, for example with --size.",
        evidence={"wall_ns": case.wall_ns},
        cause=Cause.RECORDING,
    )


RULE = Rule("short-run", frozenset({Part.STATES}), check)
