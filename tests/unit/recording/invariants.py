"""What holds for every trace, whatever it was decoded from."""

import numpy as np

from concurtrace.model.trace import Trace


def check(trace: Trace) -> None:
    """Assert that states never overlap, sum to lifetimes, and refer to what exists."""
    first = 0
    for thread in trace.threads:
        assert thread.first == first
        first = thread.last
        spans = trace.spans_of(thread)
        assert (spans.dur_ns >= 0).all()
        assert (spans.start_ns[1:] >= spans.end_ns[:-1]).all()
        if len(spans):
            assert thread.start_ns <= spans.start_ns[0]
            assert spans.end_ns[-1] <= thread.end_ns
        assert sum(total.ns for total in thread.totals.values()) == thread.lifetime_ns
        assert all(total.ns > 0 for total in thread.totals.values())
    assert first == len(trace.spans)
    _check_references(trace)
    for number, process in enumerate(trace.processes):
        assert process.start_ns <= process.end_ns
        assert process.parent is None or 0 <= process.parent < number
        rows = range(process.first, process.last)
        assert all(trace.threads[row].process == number for row in rows)


def _check_references(trace: Trace) -> None:
    spans, stacks = trace.spans, trace.stacks
    assert (spans.stack < len(stacks.parent)).all()
    assert (spans.object < len(trace.objects)).all()
    wakers = trace.rows_of(spans.waker, spans.end_ns)
    assert ((wakers >= -1) & (wakers < len(trace.threads))).all()
    known = wakers >= 0
    tids = np.array([thread.tid for thread in trace.threads] or [0], np.int64)
    assert (tids[wakers[known]] == spans.waker[known]).all()
    assert (stacks.parent < np.arange(len(stacks.parent)) + (stacks.parent == 0)).all()
    assert (stacks.code < len(stacks.functions)).all()
    for one in trace.objects:
        assert one.created_stack < len(stacks.parent)
    assert (trace.folds.thread < max(1, len(trace.threads))).all()
