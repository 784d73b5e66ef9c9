"""A pool has too few workers for work that mostly waits.

Workers that wait for peers or timers need no core meanwhile. While all of them wait and more work
is queued, a larger pool would do more at the same time.
"""

from collections.abc import Iterable

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.crew import pool_workers
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import share_text, significant

WAITING = Limits(0.5, 0.7)
"""Share of the workers' lives spent on input, output and sleep; from half on, twice as many
workers would find a core."""
IDLE = 0.15
"""Share of the workers' lives without work above which the pool is large enough."""
LASTING = 0.5
"""Share of the run for which the pool is there: a pool that is soon done holds nothing back."""
USED = 0.5
"""Share of the cores in use from which more workers would have to wait for one."""


def check(case: Case) -> Iterable[Answer]:
    """Look at pools whose workers are never without work and seldom on a core."""
    trace = case.trace
    pooled = pool_workers(trace)
    used = sum(one.ns(*WORKING) for one in trace.threads) / case.wall_ns / case.cores
    for crew in case.crews:
        life = sum(one.lifetime_ns for one in crew.threads)
        reach = max(one.end_ns for one in crew.threads) - min(one.start_ns for one in crew.threads)
        if not pooled[list(crew.rows)].all() or reach < LASTING * case.wall_ns:
            continue
        waiting = sum(one.ns(State.IO_WAIT, State.SLEEP) for one in crew.threads) / life
        idle = sum(_idle(case, row) for row in crew.rows) / life
        severity = WAITING.judge(waiting - idle)
        if severity is Severity.OK or idle > IDLE or used > USED:
            continue
        cpu = sum(one.ns(*WORKING) for one in crew.threads)
        wait = sum(one.ns(State.IO_WAIT, State.SLEEP) for one in crew.threads)
        size = min(round(case.cores * (1 + wait / max(cpu, 1))), 10 * len(crew.rows))
        yield Answer(
            severity,
            f"The {len(crew.rows)} workers of a pool ({crew.name}) waited for input, output or"
            f" timers {share_text(waiting)} of the time and were never without work.",
            f"Meanwhile {significant(used * case.cores)} of {case.cores:g} cores were used.",
            f"Use more workers: about {size} would keep the cores busy, if what they wait for"
            " stands that many at once.",
            case.where(case.mask_of(crew.rows, State.IO_WAIT, State.SLEEP)),
            evidence={"waiting": waiting, "idle": idle, "workers": len(crew.rows), "better": size},
            gain_ns=round(case.wall_ns * (1 - len(crew.rows) / max(size, len(crew.rows) + 1))),
            cause=Cause.POOL,
            thing=crew.name,
        )
        return
    yield fine("No pool was too small for its work.")


def _idle(case: Case, row: int) -> int:
    spans = case.trace.spans_of(case.trace.threads[row])
    idle = spans.reason == Reason.IDLE_WORKER.code
    return int(spans.dur_ns[idle].sum())


RULE = Rule("small-pool", frozenset({Part.STATES}), check)
