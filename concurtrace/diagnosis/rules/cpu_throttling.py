"""A CPU quota stops the program for a part of each period, though cores are free.

Containers are limited so. A group may use its cores for so long in each period (100 ms, as a rule);
when that is used up, all of its threads stand still until the next. ``os.cpu_count()`` knows
nothing of it, and a pool of that size uses the quota up at once.
"""

import math
from collections.abc import Iterable

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.run import Throttling
from concurtrace.units import count_text, significant, time_text

PERIODS = Limits(0.01, 0.1)
"""Share of the scheduler's periods in which the quota was used up."""
LOST = 0.05
"""Share of the run that threads were stopped, added up over the cores: below, it is told and no
more."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the kernel's counters from before and after the run."""
    told = case.strain.throttling if case.strain is not None else None
    if told is None:  # cannot be: the rule needs it
        return
    share = told.throttled / max(told.periods, 1)
    lost = told.throttled_ns / max(case.strained_ns, 1)
    severity = PERIODS.judge(share)
    if severity is Severity.OK:
        yield fine(
            f"The quota of {significant(told.quota_cores)} cores was hardly ever used up.",
            throttled_share=share,
        )
        return
    if lost < LOST:
        severity = Severity.INFO
    yield _answer(case, told, severity)


def _answer(case: Case, told: Throttling, severity: Severity) -> Answer:
    machine = case.environment.machine if case.environment is not None else None
    cores = machine.usable_cores if machine is not None else 1
    fitting = max(1, math.floor(told.quota_cores))
    return Answer(
        severity,
        f"A quota of {significant(told.quota_cores)} cores stopped the program in"
        f" {count_text(told.throttled)} of {count_text(told.periods)} periods:"
        f" {time_text(told.throttled_ns)} in all, over the {cores} cores that it may run on.",
        "Its control group had used up what it may use in a period, so all of its threads stood"
        " still until the next, also those that others waited for. Whatever else runs in the group"
        " counts too.",
        f"Use at most {fitting} busy {'worker' if fitting == 1 else 'workers'}, and not"
        " os.cpu_count(), which counts the machine's cores; or raise the limit (docker run --cpus,"
        " limits.cpu in Kubernetes, CPUQuota= in systemd).",
        evidence={
            "quota_cores": told.quota_cores,
            "periods": told.periods,
            "throttled": told.throttled,
            "throttled_ns": told.throttled_ns,
        },
        gain_ns=min(told.throttled_ns, case.strained_ns),
        cause=Cause.CORES,
        thing="too many",
    )


RULE = Rule(
    "cpu-throttling",
    frozenset({Part.QUOTA}),
    check,
    refines=frozenset({"oversubscription", "nested-parallelism"}),
)
