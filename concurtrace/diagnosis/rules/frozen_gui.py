"""A window does not answer: its main loop is kept by a callback that takes too long.

A GUI draws and takes clicks and keys between two callbacks only. Seen for Tk, whose loop waits in
``mainloop``.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.recording.reasons import standard_module
from concurtrace.units import time_text

FROZEN_S = Limits(0.1, 0.25)
"""Longest time between two turns of the loop, in seconds: from a tenth on a person takes an answer
for late (Nielsen 1993); a quarter is more than any other delay of a busy machine."""
TURNS = 3
"""Turns of the loop: with fewer it did not really run."""
_LOOPS = frozenset((("tkinter/__init__", "Misc.mainloop"), ("tkinter/__init__", "mainloop")))
_TURN = (State.CONDITION_WAIT, State.IO_WAIT, State.SLEEP)


def check(case: Case) -> Iterable[Answer]:
    """Measure the gaps between the waits of main loops."""
    trace, spans = case.trace, case.trace.spans
    in_loop = np.array(
        [(standard_module(one.file), one.name) in _LOOPS for one in trace.stacks.functions], bool
    )[trace.stacks.code]
    turns = np.flatnonzero(spans.in_state(*_TURN) & in_loop[spans.stack])
    if len(turns) < TURNS:
        yield fine("No main loop of a GUI was seen.")
        return
    gaps = _gaps_ns(case, turns)
    longest = int(gaps.max(initial=0))
    severity = FROZEN_S.judge(longest / 1e9)
    if severity is Severity.OK:
        yield fine("The window answered at all times.", longest_ns=longest)
        return
    late = np.flatnonzero(gaps >= FROZEN_S.info * 1e9)
    inside = np.zeros(len(spans), bool)
    for place in late.tolist():
        inside[turns[place] + 1 : turns[place + 1]] = True
    rows = np.unique(trace.span_threads[inside]).tolist()
    yield Answer(
        severity,
        f"The window did not answer {plural(len(late), 'time')}, for {time_text(longest)} at the"
        f" longest and {time_text(int(gaps[late].sum()))} together.",
        "Between two turns of the main loop nothing is drawn and no click or key is taken.",
        "Do the work in a thread or a process and let the loop look for its result with `after`.",
        case.where(inside & (spans.stack != 0)) or case.sampled(rows),
        case.window(inside),
        {"freezes": len(late), "longest_ns": longest, "turns": len(turns)},
        gain_ns=int(gaps[late].sum()),
        cause=Cause.CODE,
        thing="window",
    )


def _gaps_ns(case: Case, turns: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return how long each turn took, without the time for which the machine had no core for it."""
    spans, threads = case.trace.spans, case.trace.span_threads
    ready = np.where(spans.in_state(State.RUNNABLE), spans.dur_ns, 0)
    before = np.concatenate(([0], np.cumsum(ready)))
    here, then = turns[:-1], turns[1:]
    gaps = spans.start_ns[then] - spans.end_ns[here] - (before[then] - before[here + 1])
    found: NDArray[np.int64] = np.where(threads[here] == threads[then], gaps, 0)
    return found


RULE = Rule("frozen-gui", frozenset({Part.STATES, Part.EXACT}), check)
