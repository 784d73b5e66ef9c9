"""Workers get unequal shares of the work: some are done long before the others.

The slowest decides when all are done. POP calls a balance (mean by greatest load) above 0.8 good.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import share_text, time_text

UNBALANCED = Limits(0.2, 0.35)
"""1 - balance. POP's limit informs; from a third on the slowest has half as much again as the mean,
which chance and other programs do not bring about."""
LEAST_SHARE = 0.1
"""Share of the run that the mean worker computes: below, the load is not computing."""
LEAST_HAD = 0.05
"""Share of the wanted time on a core that was had, at least: below, nothing can be said of work."""
WORTH = 0.05
"""Share of the run that a fair division would save: below, it is not worth a warning."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the CPU time of workers of one kind."""
    found = False
    # A second of CPU time took longer where other programs had the cores too.
    stretched = 1 / max(case.availability, LEAST_HAD)
    for crew in case.crews:
        loads = np.array([case.cpu_of(one) for one in crew.threads], np.int64)
        mean, most = float(loads.mean()), int(loads.max())
        if mean * stretched < LEAST_SHARE * case.wall_ns:
            continue
        severity = UNBALANCED.judge(1 - mean / most)
        gain = round(min((most - mean) * stretched, case.wall_ns))
        if severity is Severity.OK:
            continue
        found = True
        if gain < WORTH * case.wall_ns:
            severity = Severity.INFO
        row = crew.rows[int(loads.argmax())]
        slowest = case.trace.threads[row]
        who = case.trace.processes[slowest.process].name if crew.of_processes else slowest.name
        yield Answer(
            severity,
            f"The work is divided unevenly among {len(crew.rows)} workers ({crew.name}): {who} took"
            f" {time_text(most)} of CPU time, the mean {time_text(mean)}.",
            f"The balance is {share_text(mean / most)}; the others waited for the slowest.",
            "Hand out smaller pieces as workers become free, the longest first.",
            case.sampled([row]),
            (slowest.start_ns - case.whole.start_ns, slowest.end_ns - case.whole.start_ns),
            {
                "balance": mean / most,
                "most_ns": most,
                "mean_ns": round(mean),
                "workers": len(loads),
            },
            gain_ns=gain,
            cause=Cause.WORK,
            thing=crew.name,
            # Threads that take turns are done when the last turn is, however they share the turns.
            explained_by=frozenset() if crew.of_processes else frozenset({Cause.GIL}),
        )
    if not found:
        yield fine("No workers had much more to do than their like.", crews=len(case.crews))


RULE = Rule("load-imbalance", frozenset({Part.STATES}), check, refines=frozenset({"straggler"}))
