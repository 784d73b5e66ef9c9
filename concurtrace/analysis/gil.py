"""What the GIL cost: contention, and the share of the run in which it was held."""

import numpy as np

from concurtrace.analysis.places import Places
from concurtrace.model.report import GilTotals, LockPlace
from concurtrace.model.spans import SpanFlag, Spans, Times
from concurtrace.model.states import State
from concurtrace.model.trace import Thread, Trace

_BLAMED = 20


def gil_totals(trace: Trace) -> GilTotals | None:
    """Work out contention and share held; None where there was no GIL or no Python."""
    waited = sum(thread.ns(State.GIL_WAIT) for thread in trace.threads)
    running = sum(thread.ns(State.RUNNING) for thread in trace.threads)
    if not trace.gil or not waited + running or not trace.wall_ns:
        return None
    return GilTotals(waited / (waited + running), held_share(trace), blame(trace))


def blame(trace: Trace) -> tuple[LockPlace, ...]:
    """Tell which lines ran with the GIL while others waited for it, those that cost most first.

    Each sample of a running thread counts for the time that it stands for, once for every thread
    that waited at that moment: thread time, as the waits themselves.
    """
    samples, spans = trace.samples, trace.spans
    if samples is None or not len(samples):
        return ()
    rows = trace.rows_of(samples.tid, samples.time_ns)
    running = (rows >= 0) & (samples.state == State.RUNNING.code)
    process_of = np.array([one.process for one in trace.threads], np.int64)[rows]
    cost = np.zeros(len(samples))
    for number, process in enumerate(trace.processes):
        mine = np.flatnonzero(running & (process_of == number))
        if not len(mine):
            continue
        part = slice(trace.threads[process.first].first, trace.threads[process.last - 1].last)
        waits = spans.state[part] == State.GIL_WAIT.code
        began, over = (np.sort(one[part][waits]) for one in (spans.start_ns, spans.end_ns))
        at_ns = samples.time_ns[mine]
        waiting = np.searchsorted(began, at_ns, "right") - np.searchsorted(over, at_ns, "right")
        cost[mine] = waiting * samples.weight_ns[mine]
    sums: dict[str, int] = {}
    places = Places(trace.stacks)
    by_stack = np.bincount(samples.stack, cost)
    for stack in np.flatnonzero(by_stack).tolist():
        place = places.of(stack)
        if place is not None:
            sums[place] = sums.get(place, 0) + round(by_stack[stack])
    ranked = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    return tuple(LockPlace(place, ns) for place, ns in ranked[:_BLAMED])


def held_share(trace: Trace) -> float:
    """Return the share of the run in which some thread held a GIL.

    One process has one GIL, and its holds add up. Holds of several processes run side by side:
    those kept singly are laid over each other, of those that were folded into sums only the part
    counts that chance would leave beside the others.
    """
    whole = sum(thread.gil.held_ns for thread in trace.threads)
    holders = {thread.process for thread in trace.threads if thread.gil.held_ns}
    if len(holders) <= 1:
        return min(1.0, whole / trace.wall_ns)
    held = trace.spans.take((trace.spans.flags & SpanFlag.GIL_HELD) != 0)
    covered = covered_ns(held.start_ns, held.end_ns)
    folded = max(0, whole - int(held.dur_ns.sum()))
    share = covered / trace.wall_ns
    return min(1.0, share + folded / trace.wall_ns * (1 - share))


def covered_ns(start_ns: Times, end_ns: Times) -> int:
    """Measure the union of intervals."""
    if not len(start_ns):
        return 0
    order = np.argsort(start_ns, kind="stable")
    start, end = start_ns[order], end_ns[order]
    reached = np.concatenate((start[:1], np.maximum.accumulate(end)[:-1]))
    return int(np.maximum(end - np.maximum(start, reached), 0).sum())


def holds_of(trace: Trace, thread: Thread) -> tuple[Times, Times]:
    """Reconstruct a thread's holds of the GIL as (starts, ends), from the spans kept singly."""
    spans: Spans = trace.spans_of(thread)
    held = (spans.flags & SpanFlag.GIL_HELD) != 0
    joined = np.zeros(len(held), bool)
    joined[1:] = held[1:] & held[:-1] & (spans.start_ns[1:] == spans.end_ns[:-1])
    starts = np.flatnonzero(held & ~joined)
    last = held.copy()
    last[:-1] &= ~joined[1:]
    return spans.start_ns[starts], spans.end_ns[last]
