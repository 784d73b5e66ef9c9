"""A coroutine computes for long, and the event loop can do nothing else meanwhile.

Computing does not become concurrent by being in a coroutine: the loop goes on when it is done.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.loop_replay import Change
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.loops import TOLD, advice, culprits, foretell
from concurtrace.model.report import Severity
from concurtrace.model.tasks import Flavour
from concurtrace.units import share_text, time_text

LONGEST_NS = Limits(50_000_000, 100_000_000)
"""Longest step on a core: asyncio's debug mode warns from 100 ms on."""
RUNNING = 0.5
"""Share of a step not spent asleep from which it is work, not a wait."""
SHARE = 0.05
"""Share of the run that such steps take together from which it is a warning."""

_REMEDY = {
    Flavour.ASYNCIO: (
        "Compute in another process: await loop.run_in_executor(ProcessPoolExecutor(), …); or"
        " split the work and await asyncio.sleep(0) in between, which helps the others only."
    ),
    Flavour.GREENLET: (
        "Compute in another process: gevent.get_hub().threadpool.apply of a call that waits for"
        " a process pool; or split the work and gevent.sleep(0) in between, which helps the"
        " others only."
    ),
    Flavour.TWISTED: (
        "Compute in another process: threads.deferToThread of a call that waits for a process"
        " pool; or split the work with task.cooperate, which helps the others only."
    ),
}


def check(case: Case) -> Iterable[Answer]:
    """Find long steps that spent most of their time at work; waits for a core are none."""
    steps, asleep = case.loops.tasks.steps, case.loops.off_core_ns
    free = case.loops.free_ns
    worked = free - asleep
    found = np.flatnonzero((worked >= LONGEST_NS.info) & (worked >= RUNNING * free))
    found = found[np.argsort(-worked[found])]
    for one in culprits(case, found)[:TOLD]:
        severity = LONGEST_NS.judge(one.worst.ns)
        if one.ns < SHARE * case.wall_ns or not one.harmful:
            severity = Severity.INFO
        yield Answer(
            severity,
            f"{one.worst.coroutine or 'A callback'} computed for {time_text(one.worst.ns)} without"
            f" awaiting; the event loop could do nothing else for {time_text(one.ns)},"
            f" {share_text(one.ns / max(case.wall_ns, 1))} of the run.",
            f"It happened {plural(one.count, 'time')}; tasks and callbacks that were ready lost"
            f" {time_text(one.late_ns)} by it.",
            advice(case, int(steps.loop[one.steps[0]]), _REMEDY),
            (one.where,) if one.where else (),
            one.window_ns,
            {"steps": one.count, "computed_ns": one.ns, "late_ns": one.late_ns},
            foretell(
                case,
                "the computing is done in other processes",
                int(steps.loop[one.steps[0]]),
                Change({step: int(worked[step]) for step in one.steps}),
                ("cores are free for them", "what is sent to them is small"),
            ),
            gain_ns=round(min(one.held_ns, case.wall_ns) * (1 - 1 / max(case.cores, 1))),
            cause=Cause.LOOP,
            thing=one.where,
        )
    if not len(found):
        yield fine("No step computed for long.", longest_ns=int(np.max(worked, initial=0)))


RULE = Rule(
    "cpu-bound-coroutine",
    frozenset({Part.TASKS, Part.STATES}),
    check,
    refines=frozenset({"blocked-event-loop"}),
)
