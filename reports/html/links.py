"""Addresses within the page that show a stretch of time, or one interval, in the timeline."""

from concurtrace.model.trace import Trace


def stretch(start_ns: int, end_ns: int, lane: int | None = None, at_ns: int | None = None) -> str:
    """Show what lies between two times, counted from the start of the run.

    With a lane, its interval at ``at_ns`` is chosen, or at the start.
    """
    place = "" if lane is None else f"&lane={lane}&at={start_ns if at_ns is None else at_ns}"
    return f"#timeline?t0={start_ns}&t1={max(end_ns, start_ns + 1)}{place}"


def interval(trace: Trace, row: int, lane: int) -> str:
    """Show one span in its lane, with half its length on either side."""
    spans = trace.spans
    start, end = int(spans.start_ns[row]) - trace.start_ns, int(spans.end_ns[row]) - trace.start_ns
    margin = (end - start) // 2
    return f"#timeline?t0={max(0, start - margin)}&t1={end + margin}&lane={lane}&at={start}"
