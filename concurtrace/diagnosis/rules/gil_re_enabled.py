"""A free-threaded Python ran with the GIL.

Importing an extension that does not say that it can do without switches it on for the whole
process.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity


def check(case: Case) -> Iterable[Answer]:
    """Compare the build with how it ran."""
    python = case.environment
    if python is None or not (python.free_threaded and python.gil):
        yield fine("The interpreter ran as it was built.")
        return
    yield Answer(
        Severity.WARNING,
        "This Python was built to run without the GIL, and ran with it.",
        "An imported extension that needs it, PYTHON_GIL=1 or -X gil=1 switched it on.",
        "Run with -X importtime -W error to see which import warns of it, and look for a newer"
        " version of that package.",
        cause=Cause.GIL,
    )


RULE = Rule("gil-re-enabled", frozenset(), check)
