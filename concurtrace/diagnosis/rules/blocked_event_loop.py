"""One step keeps an event loop from everything else it has to do.

A loop runs one thing at a time. While a coroutine or callback runs on without awaiting, timers are
late, answers lie unread, and every other task stands still.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.loops import unknown_loops
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.loops import TOLD, advice, culprits
from concurtrace.model.report import Severity
from concurtrace.model.tasks import Flavour
from concurtrace.units import share_text, time_text

LONGEST_NS = Limits(50_000_000, 100_000_000)
"""Longest step: from 100 ms on asyncio's own debug mode warns; half of it is felt by others."""
SHARE = 0.02
"""Share of the run that such steps take together from which it is a warning."""

_REMEDY = {
    Flavour.ASYNCIO: (
        "Let the work leave the loop: asyncio.to_thread for calls that wait, a process pool for"
        " computing, or an await now and then in between."
    ),
    Flavour.GREENLET: (
        "Let the work leave the hub: gevent's threadpool for calls that wait, a process pool"
        " for computing, or gevent.sleep(0) now and then in between."
    ),
    Flavour.TWISTED: (
        "Let the work leave the reactor: threads.deferToThread for calls that wait, a process"
        " pool for computing, or task.cooperate to do it piece by piece."
    ),
}


def check(case: Case) -> Iterable[Answer]:
    """Look at the longest steps of loops, and at the longest rounds of loops that are not known."""
    slow = case.loops.slow(int(LONGEST_NS.info))
    # That a step had no core, or not the GIL, is not its doing: other rules tell that.
    slow = slow[case.loops.free_ns[slow] >= LONGEST_NS.info]
    told = 0
    for one in culprits(case, slow)[:TOLD]:
        # A step that only had no core, or not the GIL, is not to blame for its length.
        severity = LONGEST_NS.judge(int(case.loops.free_ns[list(one.steps)].max()))
        if one.ns < SHARE * case.wall_ns or not one.harmful:
            severity = Severity.INFO
        who = one.worst.coroutine or "A callback"
        told += 1
        yield Answer(
            severity,
            f"{who} ran {time_text(one.worst.ns)} without awaiting and kept the event loop from"
            f" everything else; {plural(one.worst.late, 'task')} or callbacks were ready"
            " meanwhile.",
            f"Such steps took {time_text(one.ns)} in all ({one.count} times),"
            f" {share_text(one.ns / max(case.wall_ns, 1))} of the run; others were late by"
            f" {time_text(one.late_ns)} because of them.",
            advice(case, int(case.loops.tasks.steps.loop[one.steps[0]]), _REMEDY),
            (one.where,) if one.where else (),
            one.window_ns,
            {"longest_ns": one.worst.ns, "steps": one.count, "late_ns": one.late_ns},
            gain_ns=min(one.held_ns, case.wall_ns),
            cause=Cause.LOOP,
            thing=one.where,
        )
    yield from _unknown(case, told)


def _unknown(case: Case, told: int) -> Iterable[Answer]:
    """Judge threads that wait for events again and again, whatever framework runs them."""
    known = {one.tid for one in case.loops.tasks.loops}
    for loop in unknown_loops(case.whole, known):
        worst = max(loop.blocked, key=lambda one: one.ns, default=None)
        if worst is None or LONGEST_NS.judge(worst.ns) is Severity.OK:
            continue
        told += 1
        yield Answer(
            Severity.INFO,
            f"Thread {loop.thread} looks like an event loop and did not come back to it for"
            f" {time_text(worst.ns)}.",
            f"It waited for events {loop.iterations} times.",
            "Let work of that length leave the loop's thread.",
            (worst.where,) if worst.where else (),
            (worst.start_ns, worst.start_ns + worst.ns),
            {"longest_ns": worst.ns, "rounds": loop.iterations},
            cause=Cause.LOOP,
            thing=worst.where,
        )
    if not told:
        steps = case.loops.tasks.steps
        longest = int(np.max(steps.dur_ns, initial=0))
        yield fine("No step held an event loop up.", longest_ns=longest)


RULE = Rule("blocked-event-loop", frozenset({Part.STATES}), check)
