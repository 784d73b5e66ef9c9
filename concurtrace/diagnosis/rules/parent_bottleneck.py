"""The parent of a pool of processes is so busy with messages that its workers wait for it.

All tasks and all results pass through one process, and there through one GIL.
"""

from collections.abc import Iterable

from concurtrace.analysis.contention import gils
from concurtrace.analysis.crew import Crew
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import share_text

IDLE = Limits(0.3, 0.5)
"""Share of their lives that the workers wait for tasks while their parent is busy."""
BUSY = 0.8
"""Share of the time that a thread of the parent holds the GIL, or would if it had a core: POP's
limit for an efficiency that leaves nothing to gain."""


def check(case: Case) -> Iterable[Answer]:
    """Compare how busy a parent is with how idle its workers are."""
    busy = {one.process: one for one in gils(case.trace)}
    for crew in case.crews:
        if not crew.of_processes:
            continue
        parent = case.trace.processes[crew.threads[0].process].parent
        gil = busy.get(parent) if parent is not None else None
        if gil is None or not gil.life_ns:
            continue
        ready = sum(one.ns(State.RUNNABLE) for one in gil.threads)
        held = min(1.0, gil.held + ready / gil.life_ns)
        idle = _idle(case, crew)
        severity = IDLE.judge(idle)
        if severity is Severity.OK or held < BUSY:
            continue
        name = case.trace.processes[gil.process].name
        rows = case.rows(gil.threads)
        yield Answer(
            severity,
            f"{name} was busy for {share_text(held)} of the time with handing out work and"
            f" taking results, while its {plural(len(crew.rows), 'worker')} waited for it"
            f" {share_text(idle)} of theirs.",
            "More workers can't help: what feeds them has no more to give.",
            "Hand out larger pieces (chunksize), let workers read their input and write their"
            " output themselves, and send back less.",
            case.sampled(rows),
            evidence={"held": held, "idle": idle, "workers": len(crew.rows), "process": name},
            gain_ns=round(idle * case.wall_ns),
            cause=Cause.IPC,
        )
        return
    yield fine("No parent process kept its workers waiting.")


def _idle(case: Case, crew: Crew) -> float:
    life = sum(one.lifetime_ns for one in crew.threads)
    spans = case.trace.spans
    mask = case.mask_of(crew.rows, State.CONDITION_WAIT, State.IO_WAIT)
    mask &= spans.reason == Reason.IDLE_WORKER.code
    return float(spans.dur_ns[mask].sum()) / life if life else 0.0


RULE = Rule(
    "parent-bottleneck",
    frozenset({Part.STATES, Part.GIL, Part.EXACT}),
    check,
)
