"""Cores that the target could use stand idle.

A symptom, so it never warns: what keeps the workers from the cores is told by other rules. A
program of one thread uses one core, and one that waits for its peers uses less, often on purpose.
"""

from collections.abc import Iterable

from concurtrace.analysis.concurrency import WORKING
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import significant

IDLE = 0.45
"""Share of the usable cores that nobody of the target used. VTune calls half of them poor; two that
take turns use a little more than one core, for they overlap as they hand over."""
PEERS = 0.5
"""Share of the critical path spent on peers, devices and timers from which no core would help."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the mean number of cores used, or wanted and not had, with those there are."""
    wanted = sum(one.ns(*WORKING, State.RUNNABLE) for one in case.trace.threads)
    mean = min(wanted / case.wall_ns, case.cores)
    idle = 1 - mean / case.cores
    text = f"On average {significant(mean)} of {case.cores:g} cores were used"
    length = max(case.path.length_ns, 1)
    asleep = case.path_ns.get(State.IO_WAIT, 0) + case.path_ns.get(State.SLEEP, 0)
    if idle < IDLE:
        yield fine(f"{text}.", cores_used=mean, cores=case.cores)
        return
    if case.cores < 2 or len(case.workers) < 2 or asleep > PEERS * length:
        why = "The work waits for peers, devices or timers." if asleep > PEERS * length else ""
        why = why or "One thread does all of it."
    else:
        why = "Several threads or processes had work, but seldom at the same time."
    yield Answer(
        Severity.INFO,
        f"{text}.",
        why,
        "See what the workers wait for: the rules above this one, and the states of each thread.",
        case.sampled(),
        evidence={"cores_used": mean, "cores": case.cores, "workers": len(case.workers)},
        cause=Cause.CORES,
        thing="idle",
        explained_by=frozenset(Cause) - {Cause.CORES, Cause.RECORDING, Cause.OTHERS},
    )


RULE = Rule("idle-cores", frozenset({Part.STATES}), check)
