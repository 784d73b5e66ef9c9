"""A queue only grows: what fills it is faster than what empties it, and nothing bounds it.

Items wait ever longer, and memory for them runs out in the end. A queue with a ``maxsize`` lets the
producer wait instead. One that nobody empties meanwhile, filled with work beforehand or with
results for later, is not meant here; nor is one that is full for a moment.

Queues of ``queue``, ``asyncio`` and ``multiprocessing`` that hand out first what came first are
followed; of those between processes the part that waits in the sender, behind what the pipe holds
(64 KiB). Those of priorities, last in first out, and ``SimpleQueue`` do not count what they pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.runtime import QueueLengths
from concurtrace.units import count_text, share_text, significant, time_text

GROWING = Limits(0.2, 0.5)
"""Share of the run in which it kept growing; much less is a burst that is worked off."""
LEAST = 100
"""Items: a shorter queue costs nothing and no item waits long in it."""
TAKEN = 20
"""Items taken out while it grew: with fewer nobody empties it yet."""
READINGS = 12
"""Readings of its length: fewer can't tell growth from a jump."""
PARTS = 4
"""Parts of the time of its growth; its mean length is greater in each than in the one before."""


@dataclass(frozen=True)
class _Growth:
    """From when to when a queue grew, how long it became, and what went through meanwhile."""

    queue: QueueLengths
    from_ns: int
    to_ns: int
    before: int
    after: int
    puts: int
    gets: int

    @property
    def lasted_ns(self) -> int:
        return self.to_ns - self.from_ns


def check(case: Case) -> Iterable[Answer]:
    """Follow the length of every queue up to its peak."""
    grown = [growth for one in case.trace.queues if (growth := _growth(case, one)) is not None]
    worst = max(grown, key=lambda one: one.lasted_ns, default=None)
    share = worst.lasted_ns / case.wall_ns if worst is not None else 0.0
    severity = GROWING.judge(share)
    if worst is None or severity is Severity.OK:
        yield fine("No queue kept growing.", growing=share)
        return
    place = case.places.of(worst.queue.created_stack)
    faster = worst.puts / worst.gets
    wait_ns = worst.after * worst.lasted_ns / worst.gets
    zero = case.whole.start_ns
    yield Answer(
        severity,
        f"A queue grew from {count_text(worst.before)} to {count_text(worst.after)} items in"
        f" {time_text(worst.lasted_ns)}, {share_text(share)} of the run:"
        f" {count_text(worst.puts)} were put in and {count_text(worst.gets)} taken out.",
        f"It was filled {significant(faster)} times as fast as it was emptied. An item that is put"
        f" in last waits about {time_text(wait_ns)}, and memory is used for all of them.",
        "Give the queue a maxsize, so that whoever fills it waits; add consumers or make each item"
        " cheaper for them; or leave out or merge items that come too fast.",
        (place,) if place is not None else (),
        (worst.from_ns - zero, worst.to_ns - zero),
        {
            "growing": share,
            "before": worst.before,
            "after": worst.after,
            "puts": worst.puts,
            "gets": worst.gets,
        },
        cause=Cause.QUEUE,
        thing="growth",
    )


def _growth(case: Case, queue: QueueLengths) -> _Growth | None:
    times = np.array(queue.times_ns)
    inside = np.flatnonzero((times >= case.trace.start_ns) & (times <= case.trace.end_ns))
    if len(inside) < READINGS:
        return None
    lengths = np.array(queue.lengths)[inside]
    peak = int(lengths.argmax())
    if peak + 1 < READINGS:
        return None
    means = [float(part.mean()) for part in np.array_split(lengths[: peak + 1], PARTS)]
    first, last = int(inside[0]), int(inside[peak])
    found = _Growth(
        queue,
        queue.times_ns[first],
        queue.times_ns[last],
        queue.lengths[first],
        queue.lengths[last],
        queue.puts[last] - queue.puts[first],
        queue.gets[last] - queue.gets[first],
    )
    steady = all(later > earlier for earlier, later in pairwise(means))
    if not steady or found.after - found.before < LEAST or found.gets < TAKEN:
        return None
    return found


RULE = Rule("queue-growth", frozenset({Part.STATES, Part.EXACT}), check)
