"""A thread sleeps or waits for input while it holds a lock that others want.

The lock is kept for as long as a peer, a disk or a timer takes, though nobody touches what it
guards meanwhile.
"""

from collections.abc import Iterable

from concurtrace.analysis.contention import BLOCKED
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.locks import looked_at, on_path_ns
from concurtrace.units import share_text, time_text

ASLEEP = 0.5
"""Share of the holders' time, while others waited, that they were asleep."""
LEAST_NS = 1_000_000
"""Shorter sleeps in all are chance."""
WAITED = Limits(0.05, 0.2)
"""Waits of all threads by the length of the run."""


def check(case: Case) -> Iterable[Answer]:
    """Judge locks by what their holders did while others waited."""
    found = False
    for lock in looked_at(case):
        asleep = sum(lock.holder_ns.get(state, 0) for state in BLOCKED)
        if lock.holder_share(*BLOCKED) < ASLEEP or asleep < LEAST_NS:
            continue
        found = True
        waits = case.mask(lock.waits)
        call = case.where(lock.holder_spans)
        did = max(BLOCKED, key=lambda state: lock.holder_ns.get(state, 0))
        yield Answer(
            WAITED.judge(lock.wait_ns / case.wall_ns),
            f"{plural(lock.waiters, 'thread')} waited {time_text(lock.wait_ns)} for {lock.name}"
            f" while its holder was {_DOING[did.name]}{f' at {call[0]}' if call else ''}.",
            f"Of the time that others waited, holders were asleep"
            f" {share_text(lock.holder_share(*BLOCKED))}.",
            "Copy what is needed under the lock, let go of it, and do the call outside.",
            (*call, *case.where(waits, 1)),
            case.window(waits),
            {"asleep_ns": asleep, "wait_ns": lock.wait_ns, "threads": lock.waiters},
            gain_ns=round(
                on_path_ns(case, lock) * lock.holder_share(*BLOCKED) * (1 - 1 / (lock.waiters + 1))
            ),
            cause=Cause.LOCK,
            thing=lock.name,
        )
    if not found:
        yield fine("No lock was held across a sleep or a wait for input.")


_DOING = {
    "IO_WAIT": "waiting for input or output",
    "SLEEP": "asleep",
    "CHILD_WAIT": "waiting for a child process",
    "CONDITION_WAIT": "waiting to be told something",
    "GIL_BLOCKED": "asleep with the GIL",
}

RULE = Rule(
    "lock-held-across-io",
    frozenset({Part.STATES, Part.EXACT}),
    check,
    refines=frozenset({"lock-convoy", "lock-contention", "critical-path-lock"}),
)
