"""The pieces of work are so small that handing them out costs more than doing them.

A piece handed to a pool of threads costs tens of microseconds, to one of processes hundreds. A
piece should take ten times that, or many should go in one.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.crew import handing_stacks
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import count_text, share_text, time_text

SHARE = Limits(0.3, 0.5)
"""Share of the samples of running threads that are inside of a pool's own code: at half, handing
out costs as much as the work."""
FEWEST = 50
"""Samples: fewer say little about where time went."""
LEAST = 0.1
"""Share of the run that all this takes: below, it does not matter."""


def check(case: Case) -> Iterable[Answer]:
    """Count samples in the code of pools, and in what it calls of its own."""
    samples = case.trace.samples
    if samples is None or len(samples) < FEWEST:
        yield fine("Too few samples to tell what handing out work costs.")
        return
    inside = handing_stacks(case.trace.stacks)[samples.stack]
    share = float(inside.mean())
    spent = int(samples.weight_ns[inside].sum())
    severity = SHARE.judge(share)
    if severity is Severity.OK or spent < LEAST * case.wall_ns:
        yield fine("Handing out work cost little of it.", share=share)
        return
    outer = case.trace.stacks.parent[samples.stack[inside]]
    yield Answer(
        severity,
        f"Handing out pieces of work took {share_text(share)} of the time that threads ran:"
        f" {time_text(spent)} in the code of pools.",
        f"Seen in {count_text(int(inside.sum()))} of {count_text(len(samples))} samples.",
        "Make the pieces larger: give map a chunksize, or submit a list of items at a time.",
        _callers(case, outer),
        evidence={"share": share, "spent_ns": spent, "samples": len(samples)},
        gain_ns=min(spent, case.wall_ns),
        cause=Cause.IPC,
        explained_by=frozenset({Cause.START}),
    )


def _callers(case: Case, rows: NDArray[np.uint32]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for stack, count in zip(*np.unique(rows, return_counts=True), strict=True):
        place = case.places.of(int(stack))
        if place is not None:
            counts[place] = counts.get(place, 0) + int(count)
    return tuple(sorted(counts, key=lambda place: -counts[place])[:3])


RULE = Rule(
    "fine-granularity", frozenset({Part.STATES}), check, refines=frozenset({"ipc-overhead"})
)
