"""Native code keeps the GIL for long while others wait for it.

The interpreter can ask for the GIL only between bytecodes: a single call into native code that
does not let go of it stops every other Python thread for as long as it takes.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.gil import holds_of
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.spans import Spans
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Trace
from concurtrace.units import count_text, time_text

INTERVALS = 4
"""Switch intervals that others wait during one hold: the holder is asked after one, and the time
until it gets to its next bytecode and wakes the next thread is far below another."""
SHARE = Limits(0.02, 0.1)
"""Share of the run that such holds last."""


def check(case: Case) -> Iterable[Answer]:
    """Look at long waits for the GIL that lie within one hold of the thread that ended them."""
    trace, spans = case.trace, case.trace.spans
    least = INTERVALS * case.switch_interval_ns
    waits = np.flatnonzero(case.select(State.GIL_WAIT) & (spans.dur_ns >= least))
    holders = trace.rows_of(spans.waker[waits], spans.end_ns[waits])
    long: dict[tuple[int, int, int], int] = {}
    for row in np.unique(holders[holders >= 0]).tolist():
        # Where nobody saw switches, RUNNING holds the time without a core too.
        thread = trace.threads[row]
        had = case.cpu_of(thread) / max(thread.ns(*WORKING), 1)
        own = trace.spans_of(thread)
        collecting = own.take(own.in_state(State.RUNNING) & (own.reason == Reason.GC.code))
        for wait, start, end, ran in _inside(trace, row, waits[holders == row]):
            since = max(int(spans.start_ns[wait]), start)
            kept = min(int(spans.end_ns[wait]), end) - since
            # Collecting garbage is a story of its own.
            kept -= _overlap_ns(collecting, since, since + kept)
            if ran * had >= least and kept >= least:
                long[row, start, end] = long.get((row, start, end), 0) + kept
    if not long:
        yield fine(f"No hold of the GIL kept others waiting {time_text(least)}.")
        return
    kept_ns = sum(end - start for _, start, end in long)
    longest = max(long, key=lambda one: one[2] - one[1])
    rows = sorted({row for row, _, _ in long})
    where = case.sampled(rows)
    names = ", ".join(dict.fromkeys(trace.threads[row].name for row in rows[:3]))
    yield Answer(
        SHARE.judge(kept_ns / case.wall_ns),
        f"{names} kept the GIL {count_text(len(long))} times for {time_text(least)} or more while"
        f" others waited for it: {time_text(kept_ns)} in all, up to"
        f" {time_text(longest[2] - longest[1])} at once.",
        f"Other threads stood still for {time_text(sum(long.values()))} meanwhile. The holder was"
        " asked to let go and could not: it was in one call of native code.",
        "Let the native code release the GIL (Py_BEGIN_ALLOW_THREADS, Cython's nogil), hand it"
        " smaller pieces, or move it to a process.",
        where,
        (longest[1] - case.whole.start_ns, longest[2] - case.whole.start_ns),
        {
            "holds": len(long),
            "kept_ns": kept_ns,
            "longest_ns": longest[2] - longest[1],
            "waited_ns": sum(long.values()),
        },
        gain_ns=min(kept_ns, sum(long.values())),
        cause=Cause.GIL,
    )


def _overlap_ns(spans: Spans, from_ns: int, to_ns: int) -> int:
    shared = np.minimum(spans.end_ns, to_ns) - np.maximum(spans.start_ns, from_ns)
    return int(np.maximum(shared, 0).sum())


def _inside(
    trace: Trace, row: int, waits: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> Iterable[tuple[int, int, int, int]]:
    """Yield (wait, start, end, time on a core) of the hold that each wait ended with."""
    thread, spans = trace.threads[row], trace.spans_of(trace.threads[row])
    starts, ends = holds_of(trace, thread)
    if not len(starts):
        return
    ran = np.where(spans.in_state(State.RUNNING), spans.dur_ns, 0)
    sums = np.concatenate(([0], np.cumsum(ran)))
    places = np.searchsorted(starts, trace.spans.end_ns[waits], side="left") - 1
    for wait, place in zip(waits.tolist(), places.tolist(), strict=True):
        if place >= 0:
            low = np.searchsorted(spans.start_ns, starts[place], side="left")
            high = np.searchsorted(spans.start_ns, ends[place], side="left")
            yield wait, int(starts[place]), int(ends[place]), int(sums[high] - sums[low])


RULE = Rule(
    "long-gil-hold",
    frozenset({Part.STATES, Part.EXACT, Part.GIL}),
    check,
    refines=frozenset({"gil-saturation", "gil-convoy", "negative-scaling"}),
)
