"""Those who take a lock in one place wait for it often, those in another hardly ever.

One lock then serves two purposes: many short uses that hardly meet, and a few that meet them all. A
lock of its own for either, or copies for those who only read, parts them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from concurtrace.analysis.contention import ContendedLock
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.locks import explained_by, gain_ns, looked_at
from concurtrace.model.report import Severity
from concurtrace.units import count_text, share_text

APART = Limits(0.1, 0.3)
"""Difference of the conflict rates of two places: SyncPerf tells them apart from ten points on."""
FEWEST = 30
"""Acquisitions at a place: of fewer a rate says little."""


@dataclass(frozen=True)
class _Use:
    """A place at which a lock is taken, or all locks that were made at one place."""

    place: str
    acquisitions: int
    contended: int

    @property
    def conflict(self) -> float:
        return self.contended / self.acquisitions


def check(case: Case) -> Iterable[Answer]:
    """Compare how often one had to wait at the places where a lock is taken."""
    found = False
    for lock in looked_at(case):
        uses = sorted(_uses(case, lock), key=lambda one: (one.conflict, one.place))
        if len(uses) < 2:
            continue
        least, most = uses[0], uses[-1]
        severity = APART.judge(most.conflict - least.conflict)
        if severity is Severity.OK:
            continue
        found = True
        yield Answer(
            severity,
            f"Of those who take {lock.name} in one place, {share_text(most.conflict)} had to wait;"
            f" of those in another, {share_text(least.conflict)}.",
            f"{count_text(most.contended)} of {count_text(most.acquisitions)} had to wait at"
            f" {most.place}, {count_text(least.contended)} of {count_text(least.acquisitions)} at"
            f" {least.place}, since threads began to wait for it often.",
            "If the two do not change the same data, give each a lock of its own; if one of them"
            " only reads, let it read a copy that is replaced as a whole.",
            (most.place, least.place),
            evidence={
                "most_conflict": most.conflict,
                "least_conflict": least.conflict,
                "most_acquisitions": most.acquisitions,
                "least_acquisitions": least.acquisitions,
            },
            gain_ns=gain_ns(case, lock),
            cause=Cause.LOCK,
            thing=lock.name,
            explained_by=explained_by(lock),
        )
    if not found:
        yield fine("No lock made threads wait in one place much more often than in another.")


def _uses(case: Case, lock: ContendedLock) -> Iterable[_Use]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in case.trace.sites:
        place = case.places.of(one.stack) if one.object in lock.objects else None
        if place is not None:
            sums[place][0] += one.acquisitions
            sums[place][1] += one.contended
    for place, (acquisitions, contended) in sums.items():
        if acquisitions >= FEWEST:
            yield _Use(place, acquisitions, contended)


RULE = Rule(
    "asymmetric-contention",
    frozenset({Part.STATES, Part.EXACT}),
    check,
    refines=frozenset({"lock-contention"}),
)
