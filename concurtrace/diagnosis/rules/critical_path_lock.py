"""What is done under one lock decides how long the run takes.

The critical path goes through the lock's holders while others wait for them. After Critical Lock
Analysis (SC'12): only what lies on that path makes a run longer.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.locks import explained_by, gain_ns, looked_at, on_path_ns
from concurtrace.model.report import Severity
from concurtrace.units import share_text

ON_PATH = Limits(0.1, 0.4)
"""Share of the run: a tenth bounds the speed-up without the lock to 1.1; from two fifths on the
lock is what to look at before anything else, however short each wait is."""


def check(case: Case) -> Iterable[Answer]:
    """Judge locks by their share of the critical path."""
    found = False
    for lock in looked_at(case):
        share = on_path_ns(case, lock) / case.wall_ns
        severity = ON_PATH.judge(share)
        if severity is Severity.OK:
            continue
        found = True
        waits = case.mask(lock.waits)
        yield Answer(
            severity,
            f"{share_text(share)} of the critical path went through holders of {lock.name} while"
            " others waited for them.",
            f"Without that lock the run could be up to {1 / max(1 - share, 0.01):.2g} times as"
            " fast, before something else limits it.",
            "Shorten what is done under it first.",
            case.where(waits),
            case.window(waits),
            {"path_share": share, "on_path_ns": on_path_ns(case, lock)},
            gain_ns=gain_ns(case, lock),
            cause=Cause.LOCK,
            thing=lock.name,
            explained_by=explained_by(lock),
        )
    if not found:
        yield fine("No lock decided how long the run took.")


RULE = Rule("critical-path-lock", frozenset({Part.STATES, Part.EXACT}), check)
