"""Workers get unequal shares of the work: some are done long before the others.

The slowest decides when all are done. POP calls a balance (mean by greatest load) above 0.8 good.
"""

from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.balance import balance_of
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import share_text, time_text

UNBALANCED = Limits(0.2, 0.35)
"""1 - balance. POP's limit informs; from a third on the slowest has half as much again as the mean,
which chance and other programs do not bring about."""
WORTH = 0.05
"""Share of the run that a fair division would save: below, it is not worth a warning."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the CPU time of workers of one kind."""
    found = False
    for crew in case.crews:
        balance = balance_of(case, crew)
        severity = Severity.OK if balance is None else UNBALANCED.judge(1 - balance.share)
        if balance is None or severity is Severity.OK:
            continue
        found = True
        if balance.gain_ns < WORTH * case.wall_ns:
            severity = Severity.INFO
        mean, most = round(balance.mean_ns), balance.most_ns
        row = crew.rows[int(balance.loads_ns.argmax())]
        slowest = case.trace.threads[row]
        who = case.trace.processes[slowest.process].name if crew.of_processes else slowest.name
        yield Answer(
            severity,
            f"The work is divided unevenly among {len(crew.rows)} workers ({crew.name}): {who} took"
            f" {time_text(most)} of CPU time, the mean {time_text(mean)}.",
            f"The balance is {share_text(balance.share)}; the others waited for the slowest.",
            "Hand out smaller pieces as workers become free, the longest first.",
            case.sampled([row]),
            (slowest.start_ns - case.whole.start_ns, slowest.end_ns - case.whole.start_ns),
            {
                "balance": balance.share,
                "most_ns": most,
                "mean_ns": mean,
                "workers": len(crew.rows),
            },
            gain_ns=balance.gain_ns,
            cause=Cause.WORK,
            thing=crew.name,
            # Threads that take turns are done when the last turn is, however they share the turns.
            explained_by=frozenset() if crew.of_processes else frozenset({Cause.GIL}),
        )
    if not found:
        yield fine("No workers had much more to do than their like.", crews=len(case.crews))


RULE = Rule("load-imbalance", frozenset({Part.STATES}), check, refines=frozenset({"straggler"}))
