"""Very many tasks of one kind are alive at once, and mostly wait for their turn.

Starting everything at once does not make it faster than what the loop, a peer or a pool can serve;
it costs memory, and each single task takes longer (Little's law: time = number / throughput).
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.core_use import peak
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.loops import advice
from concurtrace.model.tasks import Flavour, TaskFlag, TaskState
from concurtrace.units import count_text, share_text

ALIVE = Limits(1_000, 5_000)
"""Tasks of one kind alive at once: peers and file descriptors commonly end at about a thousand."""
TURN = 0.3
"""Share of their lives ready, or waiting for a lock, semaphore or queue, from which they queue."""
AT_WORK = 0.5
"""Share of those ever made that were alive at once from which nothing bounds their number."""

_REMEDY = {
    Flavour.ASYNCIO: (
        "Bound their number: an asyncio.Semaphore around the work, or a fixed number of workers"
        " that take from a Queue."
    ),
    Flavour.GREENLET: "Bound their number: a gevent.pool.Pool of a fixed size.",
    Flavour.TWISTED: (
        "Bound their number: a DeferredSemaphore around the work, or a fixed number of"
        " task.cooperate that take from a queue."
    ),
}


def check(case: Case) -> Iterable[Answer]:
    """Count the tasks of each kind that were alive at once."""
    figures = case.loops.figures
    tasks = figures.trace.tasks
    pairs = np.stack((tasks.code.astype(np.int64), tasks.made_at.astype(np.int64)))
    kinds, inverse = np.unique(pairs, axis=1, return_inverse=True)
    inverse, most = inverse.ravel(), 0
    single = (tasks.flags & TaskFlag.GROUP) == 0
    for number in range(kinds.shape[1]):
        rows = np.flatnonzero((inverse == number) & single)
        if len(rows) < ALIVE.info:
            continue
        lives = zip(tasks.created_ns[rows].tolist(), figures.end_ns[rows].tolist(), strict=True)
        alive = peak(lives)
        most = max(most, alive)
        life_ns = int((figures.end_ns[rows] - tasks.created_ns[rows]).sum())
        queued = sum(
            int(figures.states[state][rows].sum()) for state in (TaskState.CREATED, TaskState.READY)
        )
        share = queued / max(life_ns, 1)
        if alive < ALIVE.info or alive < AT_WORK * len(rows) or share < TURN:
            continue
        function = figures.function(int(rows[0]))
        made_at = figures.made_at(int(rows[0]))
        yield Answer(
            ALIVE.judge(alive),
            f"{count_text(alive)} tasks of {function.name} were alive at once and spent"
            f" {share_text(share)} of their lives waiting for their turn on the event loop.",
            "More of them at once bring no more throughput, only a longer life for each and more"
            " memory.",
            advice(case, int(tasks.loop[rows[0]]), _REMEDY),
            tuple(place for place in (made_at, f"{function.file}:{function.line}") if place)[:1],
            evidence={"alive": alive, "tasks": len(rows), "queued_share": share},
            cause=Cause.LOOP,
            thing=f"loop {int(tasks.loop[rows[0]])}",
        )
    yield fine("Tasks of one kind were never very many.", most_alive=most)


RULE = Rule(
    "unbounded-concurrency",
    frozenset({Part.TASKS}),
    check,
    refines=frozenset({"loop-saturation"}),
)
