"""One function takes most of the time.

Where a program computes, making one function faster is often worth more than running it in
parallel.
"""

from collections.abc import Iterable

from concurtrace.analysis.hot import find_hot
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import count_text, share_text, time_text

SHARE = 0.3
"""Share of the time in all functions: making it twice as fast saves a seventh of the run."""
_BUILTIN = "~"
_WAITS = ("acquire", "wait", "select", "poll", "recv", "accept", "sleep", "join", "read", "connect")


def check(case: Case) -> Iterable[Answer]:
    """Look at own times of all functions that compute."""
    hot = find_hot(case.recording).functions
    whole = sum(one.own_ns for one in hot)
    computing = [
        one
        for one in hot
        if not (one.function.file == _BUILTIN and any(w in one.function.name for w in _WAITS))
    ]
    first = next(iter(computing), None)
    if first is None or not whole or first.own_ns < SHARE * whole:
        yield fine("No function takes most of the time by itself.")
        return
    function = first.function
    share = first.own_ns / whole
    yield Answer(
        Severity.INFO,
        f"{function.name} took {share_text(share)} of the time in all functions by itself:"
        f" {time_text(first.own_ns)} in {count_text(first.calls)} calls.",
        "Times of this pass include what counting the calls costs.",
        "Make it faster before making it parallel: a better algorithm, fewer calls, native code.",
        (f"{function.file}:{function.line} in {function.name}",),
        evidence={"own_ns": first.own_ns, "calls": first.calls, "share": share},
        cause=Cause.CODE,
        thing=function.name,
    )


RULE = Rule("cpu-hotspot", frozenset({Part.FUNCTIONS}), check)
