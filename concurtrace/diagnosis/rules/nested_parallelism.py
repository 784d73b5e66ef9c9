"""Workers call libraries that start threads of their own: more of them than cores.

BLAS, OpenMP and the like start as many threads as there are cores, in every process anew. With a
worker per core that makes the square of it.
"""

from collections.abc import Iterable

from concurtrace.analysis.concurrency import READY
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import count_text, time_text

PER_CORE = Limits(1.0, 2.0)
"""Native threads at work by cores. Their callers want the cores too: with as many native threads as
cores, half of all wait; with twice as many, two thirds."""
AT_WORK = 0.05
"""Share of the run that a native thread works, or waits for a core to do so: else it is a helper
that sleeps."""
CALLERS = 2
"""Processes or threads of Python that share the cores: one alone may have all of them."""


def check(case: Case) -> Iterable[Answer]:
    """Count the threads at work that run no Python, and who started them."""
    trace = case.trace
    least = AT_WORK * case.wall_ns
    native = [one for one in trace.threads if not one.runs_python and one.ns(*READY) > least]
    callers = {one.process for one in native}
    severity = PER_CORE.judge(len(native) / max(case.cores, 1.0))
    if severity is Severity.OK or len(case.workers) - len(native) < CALLERS:
        yield fine("No library started more threads than there are cores.", native=len(native))
        return
    ready = sum(one.ns(State.RUNNABLE) for one in native)
    yield Answer(
        severity,
        f"Libraries started {plural(len(native), 'thread')} of their own in"
        f" {plural(len(callers), 'process')}, for {case.cores:g} cores; they were ready without"
        f" a core for {time_text(ready)}.",
        f"{count_text(len(case.workers) - len(native))} workers run Python beside them.",
        "Set OMP_NUM_THREADS=1 (OPENBLAS_NUM_THREADS, MKL_NUM_THREADS) in the workers, or use"
        " threadpoolctl; or let the library have the cores and use one worker.",
        case.sampled(),
        evidence={"native": len(native), "processes": len(callers), "ready_ns": ready},
        cause=Cause.CORES,
        thing="too many",
    )


RULE = Rule(
    "nested-parallelism",
    frozenset({Part.STATES, Part.READY}),
    check,
    refines=frozenset({"oversubscription"}),
)
