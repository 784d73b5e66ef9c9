"""A thread asks again and again whether something has happened, instead of being told.

It keeps a core, and the GIL that others need, to do nothing. Asking now and then, with a sleep in
between, costs little, but each answer comes late by half the sleep.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import WANTING
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.spans import Stacks
from concurtrace.model.states import State
from concurtrace.model.trace import Thread
from concurtrace.recording.reasons import standard_module
from concurtrace.units import share_text, time_text

SPINNING = Limits(0.1, 0.2)
"""Share of the run that a thread asks, or stands in line for a core or the GIL to ask."""
ASKS, INSIDE = 0.5, 0.02
"""Share of a thread's samples on a line that asks, and inside of the question itself: who does
something with the answer is mostly elsewhere."""
FEWEST = 20
"""Samples of a thread: fewer say little about what it does."""
SHORT_NS, OFTEN = 100_000, 1000
"""Sleeps shorter than a hundred microseconds on average, a thousand a second: sleep(0), or nearly.
Nothing that is waited for with such sleeps could not be told."""
_QUESTIONS = frozenset(
    (
        ("threading", "Event.is_set"),
        ("threading", "Event.isSet"),
        ("threading", "Thread.is_alive"),
        ("queue", "Queue.empty"),
        ("queue", "Queue.full"),
        ("queue", "Queue.qsize"),
        ("queue", "Queue.get_nowait"),
        ("queue", "Queue.put_nowait"),
        ("queue", "Queue.get"),
        ("queue", "Queue._qsize"),
        ("concurrent/futures/_base", "Future.done"),
        ("concurrent/futures/_base", "Future.running"),
        ("multiprocessing/pool", "ApplyResult.ready"),
        ("multiprocessing/process", "BaseProcess.is_alive"),
        ("multiprocessing/queues", "Queue.empty"),
        ("multiprocessing/queues", "Queue.get_nowait"),
        ("multiprocessing/connection", "_ConnectionBase.poll"),
    )
)
_DEPTH = 3


def check(case: Case) -> Iterable[Answer]:
    """Find threads whose work is questions, by their samples or by sleeps of no length."""
    asking = _asking(case.trace.stacks)
    spinners = {
        row: spun
        for row, one in enumerate(case.trace.threads)
        if (spun := _spun_ns(case, one, asking)) > 0
    }
    worst = max(spinners.values(), default=0)
    severity = SPINNING.judge(worst / case.wall_ns)
    if severity is Severity.OK:
        yield fine("No thread was at work only to ask whether there is work.", spun_ns=worst)
        return
    rows = sorted(spinners, key=lambda row: -spinners[row])
    whole = sum(spinners.values())
    name = case.trace.threads[rows[0]].name
    yield Answer(
        severity,
        f"{plural(len(rows), 'thread')} asked again and again instead of waiting to be told,"
        f" or stood in line to ask, for {time_text(whole)}; {name} did so for"
        f" {share_text(worst / case.wall_ns)} of the run.",
        "While it asks it holds a core and the GIL, which those need that it waits for.",
        "Let it be told: Event.wait, Condition.wait_for, Queue.get, Future.result or as_completed"
        " sleep until there is something to do.",
        case.sampled(rows),
        evidence={"spun_ns": whole, "worst_ns": worst, "threads": len(rows)},
        gain_ns=min(whole, case.wall_ns),
        cause=Cause.CODE,
        thing="busy-waiting",
    )


def _asking(stacks: Stacks) -> NDArray[np.bool_]:
    """Tell which stacks are inside of a question, a few calls deep at most."""
    own = np.array(
        [(standard_module(one.file), one.name) in _QUESTIONS for one in stacks.functions], bool
    )[stacks.code]
    found, at = own.copy(), np.arange(len(own), dtype=np.uint32)
    for _ in range(_DEPTH):
        at = stacks.parent[at]
        found |= own[at]
    return found


def _on_its_line(stacks: Stacks, asking: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which stacks end on a line that calls a question."""
    found = asking.copy()
    found[stacks.parent[asking]] = True
    found[0] = False
    return found


def _spun_ns(case: Case, one: Thread, asking: NDArray[np.bool_]) -> int:
    """Return how long a thread was at work only to ask, 0 where it was for something else."""
    # Also while it stood in line to ask: how long it got a core is not its own doing.
    worked = one.ns(*WANTING)
    sleeps = one.totals.get(State.SLEEP)
    often = OFTEN * one.lifetime_ns / 1e9
    if sleeps is not None and sleeps.count >= often and sleeps.ns <= SHORT_NS * sleeps.count:
        return worked
    samples = case.trace.samples
    if samples is None:
        return 0
    mine = samples.tid == one.tid
    if int(mine.sum()) < FEWEST:
        return 0
    stacks = samples.stack[mine]
    on_line = _on_its_line(case.trace.stacks, asking)
    asks = asking[stacks].mean() >= INSIDE and on_line[stacks].mean() >= ASKS
    return worked if asks else 0


RULE = Rule("busy-waiting", frozenset({Part.STATES}), check)
