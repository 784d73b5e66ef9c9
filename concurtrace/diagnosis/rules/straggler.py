"""One worker is still at it when all others have nothing left to do.

The last large piece of work, handed out late, keeps the run going with one core.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.crew import last_busy_ns
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import share_text, time_text

TAIL = Limits(0.15, 0.3)
"""Share of the crew's time in which only the last is at work: a tenth is what a division into
equal parts leaves on a machine that is not quiet."""
LEAST = 0.2
"""Share of the run that a crew's life must take for its end to matter."""


def check(case: Case) -> Iterable[Answer]:
    """Compare when workers of one kind last did something."""
    found = False
    for crew in case.crews:
        done = last_busy_ns(case.trace, crew)
        started = min(one.start_ns for one in crew.threads)
        # Only a crew that lives side by side has an end that its members wait for.
        together = max(one.start_ns for one in crew.threads) < int(done.min())
        span = int(done.max()) - started
        if not together or span < LEAST * case.wall_ns:
            continue
        order = np.sort(done)
        tail = int(order[-1] - order[-2])
        # Where others have the cores, who is last is chance.
        severity = TAIL.judge(tail / span * case.availability)
        if severity is Severity.OK:
            continue
        found = True
        row = crew.rows[int(done.argmax())]
        last = case.trace.threads[row]
        who = case.trace.processes[last.process].name if crew.of_processes else last.name
        idle = int((done.max() - done).sum())
        yield Answer(
            severity,
            f"{who} was still at work {time_text(tail)} after the other {len(done) - 1} workers"
            f" ({crew.name}) were done.",
            f"{share_text(idle / (len(done) * span))} of the workers' time passed idle at the end.",
            "Begin with the longest pieces, or cut them smaller.",
            case.sampled([row]),
            (int(order[0]) - case.whole.start_ns, int(order[-1]) - case.whole.start_ns),
            {"idle_ns": idle, "tail_ns": tail, "workers": len(done)},
            gain_ns=round(tail * (1 - 1 / len(done))),
            cause=Cause.WORK,
            thing=crew.name,
        )
    if not found:
        yield fine("Workers of one kind were done at about the same time.")


RULE = Rule("straggler", frozenset({Part.STATES}), check)
