"""A coroutine makes a call that sleeps in the kernel, and the whole event loop sleeps with it.

``time.sleep``, a synchronous database driver or HTTP client, a lock of ``threading``: inside a
coroutine they stop every other task, for nothing that the loop runs can be awaited meanwhile.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.loop_replay import Change
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.loops import TOLD, advice, culprits, foretell
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.model.tasks import Flavour
from concurtrace.units import share_text, time_text

ASLEEP = 0.5
"""Share of a step asleep in the kernel, not counting that it had no core, from which it waits."""
LEAST_NS = 10_000_000
"""A step asleep for less is hardly felt: a tenth of what asyncio's debug mode complains of."""
SHARE = Limits(0.0, 0.05)
"""Share of the run that the calls take together: below a twentieth there is little to gain."""

_DID = {
    State.SLEEP: "slept",
    State.IO_WAIT: "waited for input or output",
    State.LOCK_WAIT: "waited for a lock",
    State.CONDITION_WAIT: "waited to be told something",
    State.CHILD_WAIT: "waited for a child process",
    State.GIL_BLOCKED: "was blocked with the GIL held",
}

_REMEDY = {
    Flavour.ASYNCIO: (
        "Await an asynchronous version of the call, or give it to a thread: await"
        " asyncio.to_thread(…)."
    ),
    Flavour.GREENLET: (
        "Let gevent wait in its place: monkey.patch_all() before all other imports; or give the"
        " call to a thread: gevent.get_hub().threadpool.apply(…)."
    ),
    Flavour.TWISTED: (
        "Use an asynchronous version of the call, or give it to a thread: yield"
        " threads.deferToThread(…)."
    ),
}


def check(case: Case) -> Iterable[Answer]:
    """Find steps that spent most of their time asleep."""
    steps, asleep = case.loops.tasks.steps, case.loops.off_core_ns
    found = np.flatnonzero((asleep >= LEAST_NS) & (asleep >= ASLEEP * case.loops.free_ns))
    found = found[np.argsort(-asleep[found])]
    for one in culprits(case, found)[:TOLD]:
        share = one.ns / max(case.wall_ns, 1)
        severity = SHARE.judge(share) if one.harmful else Severity.INFO
        did = _DID.get(one.worst.state or State.UNKNOWN, "slept in the kernel")
        call = f" ({one.worst.call})" if one.worst.call else ""
        yield Answer(
            severity,
            f"{one.worst.coroutine or 'A callback'} {did}{call} inside the event loop, up to"
            f" {time_text(one.worst.ns)} at a time; the loop stood still for"
            f" {time_text(one.ns)}, {share_text(share)} of the run.",
            f"It happened {plural(one.count, 'time')}; tasks and callbacks that were ready lost"
            f" {time_text(one.late_ns)} by it.",
            advice(case, int(steps.loop[one.steps[0]]), _REMEDY),
            (one.where,) if one.where else (),
            one.window_ns,
            {"calls": one.count, "asleep_ns": one.ns, "late_ns": one.late_ns},
            foretell(
                case,
                "the calls are made in threads",
                int(steps.loop[one.steps[0]]),
                Change({step: int(asleep[step]) for step in one.steps}),
                ("the calls may run side by side", "there are threads enough"),
            ),
            gain_ns=min(one.held_ns, case.wall_ns),
            cause=Cause.LOOP,
            thing=one.where,
        )
    if not len(found):
        yield fine("No step slept in the kernel.", longest_ns=int(np.max(asleep, initial=0)))


RULE = Rule(
    "blocking-call-in-coroutine",
    frozenset({Part.TASKS, Part.STATES}),
    check,
    refines=frozenset({"blocked-event-loop"}),
)
