"""A few long calls make all others of a pool wait behind them.

A pool serves in the order of asking. While each of its threads has a long call, the short ones that
come meanwhile wait as long as the long ones take, though there would be room for them otherwise.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.pool_jobs import PoolJobs
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import count_text, time_text

DELAYED = Limits(5, 20)
"""Wait for a thread by the length of a call, 95th percentile by median: a client that asked for
little notices when it waits five times as long as its work takes."""
LEAST_NS = 5_000_000
"""Wait below which nobody notices, however short the calls are."""
LONG = 10
"""A call is long that takes so many times the median."""
FEW = 0.1
"""Share of the calls that are long, at most: more are no exception, the pool is too small for them.
"""
FEWEST = 20
"""Calls: of fewer no percentile can be told."""
USUAL = 95
"""Percentile of the waits: one in 20 waited longer."""


def check(case: Case) -> Iterable[Answer]:
    """Replay the queue of each pool without its long calls."""
    found = False
    for pool in case.pool_jobs:
        if len(pool.jobs) < FEWEST:
            continue
        median = max(float(np.median(pool.took_ns)), 1.0)
        late = float(np.percentile(pool.waited_ns, USUAL))
        severity = DELAYED.judge(late / median)
        long = pool.took_ns >= LONG * median
        if severity is Severity.OK or late < LEAST_NS or not 0 < long.mean() <= FEW:
            continue
        without = float(np.percentile(pool.waits_without(long), USUAL))
        # Where the others wait just as long for each other, there is simply too much to do.
        if without >= DELAYED.info * median:
            continue
        found = True
        took = int(np.median(pool.took_ns[long]))
        yield Answer(
            severity,
            f"{plural(int(long.sum()), 'call')} of {time_text(took)} kept a pool's"
            f" {plural(len(pool.rows), 'thread')} ({pool.name}) from the other"
            f" {count_text(int((~long).sum()))}, which take {time_text(round(median))}: one in 20"
            f" waited {time_text(round(late))} or longer.",
            "Replayed without the long calls, 19 in 20 "
            + (f"wait {time_text(round(without))} at most." if without else "do not wait at all."),
            "Give long calls an executor of their own, or cut them into short ones. The run gets no"
            " shorter by it, but who asks for little gets it at once.",
            _given_at(case, pool, long),
            (
                int(pool.jobs.submitted_ns[long].min()) - case.whole.start_ns,
                int(pool.jobs.ended_ns[long].max()) - case.whole.start_ns,
            ),
            {
                "calls": len(pool.jobs),
                "long": int(long.sum()),
                "median_ns": round(median),
                "waited_ns": round(late),
                "without_ns": round(without),
            },
            cause=Cause.POOL,
            thing=_thing(case, pool),
        )
    if not found:
        yield fine("No pool's calls waited behind a few long ones.")


def _given_at(case: Case, pool: PoolJobs, long: NDArray[np.bool_]) -> tuple[str, ...]:
    """Name the places where the long calls were given to the pool."""
    figures = case.loops.figures
    stacks = dict.fromkeys(pool.jobs.stack[long].tolist())
    places = [figures.places.of(stack) for stack in stacks]
    return tuple(dict.fromkeys(place for place in places if place))[:3]


def _thing(case: Case, pool: PoolJobs) -> str:
    """Name the pool as the other rules do that speak of its threads."""
    rows = set(pool.rows)
    return next((one.name for one in case.crews if rows <= set(one.rows)), pool.name)


RULE = Rule(
    "head-of-line-blocking",
    frozenset({Part.STATES, Part.JOBS}),
    check,
    refines=frozenset({"small-pool"}),
)
