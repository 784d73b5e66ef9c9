"""The kernel takes the core from the thread that holds the GIL.

Until it is given one again, no Python thread of its process can run. That other programs took the
core is no fault of the code; too many threads or processes of its own would be.
"""

from collections.abc import Iterable

from concurtrace.analysis.contention import overlap_ns
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import count_text, share_text, time_text

SHARE = 0.02
"""Share of the run in which others waited for the GIL of a thread without a core."""


def check(case: Case) -> Iterable[Answer]:
    """Measure how long holders stood without a core while others waited."""
    without = case.select(State.RUNNABLE, Reason.HOLDING_GIL)
    waited = overlap_ns(case.trace, without, case.select(State.GIL_WAIT))
    if waited < SHARE * case.wall_ns:
        yield fine("Holders of the GIL kept their cores.", waited_ns=waited)
        return
    yield Answer(
        Severity.INFO,
        f"The kernel took the core from the holder of the GIL {count_text(int(without.sum()))}"
        f" times; others waited {time_text(waited)} meanwhile.",
        f"The target had {share_text(case.availability)} of the core time that it wanted.",
        "Run fewer threads and processes at once, or find what else uses the machine.",
        # No line is to blame: the kernel takes a core away wherever a thread is.
        window_ns=case.window(without),
        evidence={
            "times": int(without.sum()),
            "waited_ns": waited,
            "availability": case.availability,
        },
        gain_ns=waited,
        cause=Cause.OTHERS,
    )


RULE = Rule("gil-holder-preempted", frozenset({Part.STATES, Part.GIL, Part.READY}), check)
