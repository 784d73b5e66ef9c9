"""A task asks again and again, with ``sleep(0)``, instead of waiting to be told.

Each turn costs a round of the loop, and the loop never rests.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.units import count_text, share_text, time_text

SHARE = Limits(0.05, 0.2)
"""Share of the run that the loop spent on such rounds."""
ITSELF = 0.5
"""Share of a task's steps that it asked for itself: from half on tokio-console warns too."""
FEWEST = 1_000
"""Rounds: less often it may be politeness towards others."""
ROUND_NS = 10_000
"""What a round of asyncio's loop costs beside the step, at least (measured: 8 to 20 µs)."""
SHORT_NS = 50_000
"""Mean step above which a task does work and only lets others go first now and then."""


def check(case: Case) -> Iterable[Answer]:
    """Look for tasks most of whose steps they asked for themselves."""
    figures = case.loops.figures
    tasks = figures.trace.tasks
    steps = np.maximum(tasks.steps, 1)
    spins = (tasks.yields >= FEWEST) & (tasks.yields >= ITSELF * steps)
    spins &= tasks.running_ns < SHORT_NS * steps
    rows = np.flatnonzero(spins)
    yields = int(tasks.yields[rows].sum())
    cost_ns = int(tasks.running_ns[rows].sum()) + yields * ROUND_NS
    cost_ns = min(cost_ns, case.wall_ns)
    share = cost_ns / max(case.wall_ns, 1)
    if not len(rows) or share < SHARE.info:
        yield fine("No task spun.", spinning_share=share)
        return
    most = int(rows[np.argmax(tasks.yields[rows])])
    place = figures.places.of(int(tasks.waits_at[most]))
    yield Answer(
        SHARE.judge(share),
        f"{figures.coroutine(most)} asked {count_text(int(tasks.yields[most]))} times whether it"
        f" can go on, by awaiting nothing; that kept the loop busy for {share_text(share)} of the"
        " run.",
        f"Such rounds took {time_text(cost_ns)} in all.",
        "Wait to be told: an asyncio.Event, Condition or Queue; or sleep for as long as an answer"
        " may be late.",
        (place,) if place else (),
        evidence={"rounds": yields, "tasks": len(rows), "spinning_share": share},
        gain_ns=cost_ns,
        cause=Cause.LOOP,
        thing=place or "spinning",
    )


RULE = Rule("self-wake-spin", frozenset({Part.TASKS}), check)
