"""A lock is held long at a time, for work that need not all be done under it.

What takes milliseconds under a lock is seldom one change of shared data, but a whole piece of work.
"""

from collections.abc import Iterable

from concurtrace.analysis.concurrency import WANTING
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.locks import GIL_SHARE, explained_by, gain_ns, looked_at, on_path_ns
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import share_text, time_text

HELD_NS = 10_000_000
"""Mean time that the lock is held: two switch intervals. A change of shared data
takes microseconds."""
CONFLICT = 0.05
"""Share of the acquisitions that had to wait (SyncPerf): below, nobody minds its length."""
ON_PATH = Limits(0.1, 0.2)
"""Share of the run that the critical path spent with holders while others waited for them."""


def check(case: Case) -> Iterable[Answer]:
    """Look at locks that are held long on average by threads at work."""
    found = False
    for lock in looked_at(case):
        if not lock.acquisitions or not lock.hold_ns:
            continue
        mean = lock.hold_ns / lock.acquisitions
        conflict = lock.contended / lock.acquisitions
        works = lock.holder_share(*WANTING) / max(1 - lock.holder_share(State.LOCK_WAIT), 1e-9)
        severity = ON_PATH.judge(on_path_ns(case, lock) / case.wall_ns)
        if mean < HELD_NS or conflict < CONFLICT or works < GIL_SHARE or severity is Severity.OK:
            continue
        found = True
        waits = case.mask(lock.waits)
        yield Answer(
            severity,
            f"Each time it is taken, {lock.name} is held for {time_text(round(mean))} on average;"
            f" {share_text(conflict)} of those who wanted it had to wait.",
            f"Its holders were at work, or wanted to be, for {share_text(works)} of the time that"
            " they held it and others waited.",
            "Compute outside and take the lock for the change alone, or divide the data among"
            " several locks.",
            case.where(waits),
            case.window(waits),
            {"hold_mean_ns": round(mean), "conflict": conflict, "acquisitions": lock.acquisitions},
            gain_ns=gain_ns(case, lock),
            cause=Cause.LOCK,
            thing=lock.name,
            explained_by=explained_by(lock),
        )
    if not found:
        yield fine("No lock was held for long at a time while others wanted it.")


RULE = Rule("coarse-critical-section", frozenset({Part.STATES, Part.EXACT}), check)
