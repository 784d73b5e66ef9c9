"""A task runs for a second or more from its start without ever awaiting.

It is a coroutine in name only: whoever made it got a plain call that stops the loop.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.loops import TOLD, culprits
from concurtrace.model.report import Severity
from concurtrace.model.tasks import StepFlag
from concurtrace.units import time_text

FIRST_NS = 1_000_000_000
"""A first step that long: the same limit as that of tokio-console's lint."""


def check(case: Case) -> Iterable[Answer]:
    """Look at the first steps of tasks."""
    steps, tasks = case.loops.tasks.steps, case.loops.tasks.tasks
    first = (steps.task >= 0) & ((steps.flags & StepFlag.FIRST) != 0)
    slow = case.loops.slow(FIRST_NS)
    slow = slow[first[slow]]
    alone = len(tasks) < 2
    for one in culprits(case, slow)[:TOLD]:
        yield Answer(
            Severity.INFO if alone or not one.harmful else Severity.WARNING,
            f"{one.worst.coroutine} ran {time_text(one.worst.ns)} from its start before it awaited"
            " anything.",
            f"Others that were ready lost {time_text(one.late_ns)} meanwhile.",
            "Make it a plain function and give it to a thread or a process, or let it await what it"
            " waits for.",
            (one.where,) if one.where else (),
            one.window_ns,
            {"first_step_ns": one.worst.ns, "tasks": one.count},
            gain_ns=min(one.held_ns, case.wall_ns),
            cause=Cause.LOOP,
            thing=one.where,
        )
    if not len(slow):
        longest = int(np.max(steps.dur_ns[first], initial=0))
        yield fine("Every task awaited soon after its start.", longest_ns=longest)


RULE = Rule(
    "never-yielding-task",
    frozenset({Part.TASKS, Part.STATES}),
    check,
    refines=frozenset({"blocked-event-loop"}),
)
