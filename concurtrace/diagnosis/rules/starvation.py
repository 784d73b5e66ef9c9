"""One of several like threads hardly gets its turn, while the others go on.

A lock of Python is not fair: who lets go of it and asks again at once often gets it again.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.crew import Crew
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import share_text, time_text

INFORM, WARN = 0.5, 0.2
"""What the least served got of its like's mean: half is bad luck, a fifth is hardly a turn."""
WAITED = 0.5
"""Share of the time that it wanted a lock or the GIL: else it had nothing to do."""
TOGETHER = 0.2
"""Share of the run in which all of them lived: outside, nobody kept it from anything."""
_KEPT_OUT = (State.LOCK_WAIT, State.GIL_WAIT)


def check(case: Case) -> Iterable[Answer]:
    """Compare, while all of a crew lived, who got how much of its time for itself."""
    for crew in case.crews:
        found = _least(case, crew)
        if found is None:
            continue
        place, served, kept_out, length = found
        mean = float(served.mean())
        if kept_out[place] < WAITED * length or served[place] >= INFORM * mean:
            continue
        thread = crew.threads[place]
        yield Answer(
            Severity.WARNING if served[place] < WARN * mean else Severity.INFO,
            f"{thread.name} got {share_text(served[place] / mean)} of what its"
            f" {len(crew.rows)} like ({crew.name}) got on average: it was kept out for"
            f" {time_text(int(kept_out[place]))} of {time_text(length)}.",
            "The others took what it waited for again and again before it came to run.",
            "Hold the lock for less and do something else between two turns, or hand out turns"
            " in order: a queue is fair, a lock is not.",
            case.where(case.mask_of([crew.rows[place]], *_KEPT_OUT)),
            evidence={
                "served_ns": int(served[place]),
                "mean_ns": round(mean),
                "kept_out_ns": int(kept_out[place]),
                "workers": len(crew.rows),
            },
            gain_ns=round(mean - served[place]),
            cause=Cause.LOCK,
            thing=f"turns of {crew.name}",
        )
        return
    yield fine("Threads of one kind got their turns alike.")


def _least(case: Case, crew: Crew) -> tuple[int, NDArray[np.int64], NDArray[np.int64], int] | None:
    """Find who was served least: its place in the crew, the times of all, and over how long."""
    start = max(one.start_ns for one in crew.threads)
    end = min(one.end_ns for one in crew.threads)
    if len(crew.rows) < 3 or end - start < TOGETHER * case.wall_ns:
        return None
    spans = case.trace.spans
    inside = np.minimum(spans.end_ns, end) - np.maximum(spans.start_ns, start)
    inside = np.maximum(inside, 0)

    def sums(*states: State) -> NDArray[np.int64]:
        mask = case.mask_of(crew.rows, *states)
        found = np.bincount(case.trace.span_threads[mask], inside[mask], len(case.trace.threads))
        mine: NDArray[np.int64] = found[list(crew.rows)].astype(np.int64)
        return mine

    served = sums(State.RUNNING, State.RUNNING_NOGIL, State.IO_WAIT, State.SLEEP)
    return int(served.argmin()), served, sums(*_KEPT_OUT), end - start


RULE = Rule("starvation", frozenset({Part.STATES, Part.EXACT}), check)
