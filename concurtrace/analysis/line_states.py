"""What threads did at which line of the target's own code."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.places import is_own_file
from concurtrace.analysis.sampled import sampled_work
from concurtrace.model.line_report import LineStates
from concurtrace.model.spans import Stacks
from concurtrace.model.states import STATES, Reason, State
from concurtrace.model.trace import Trace

_KEPT = 300

_Line = tuple[str, int, str]


def line_states(trace: Trace) -> tuple[LineStates, ...]:
    """Add up waits and samples by line, those with most time first."""
    own = _Lines(trace.stacks)
    waits: dict[_Line, dict[State, int]] = defaultdict(lambda: defaultdict(int))
    ran: dict[_Line, int] = defaultdict(int)
    spans, many = trace.spans, len(STATES)
    chosen = ~spans.in_state(*WORKING) & (spans.reason != Reason.IDLE_WORKER.code)
    keys = spans.stack[chosen].astype(np.int64) * many + spans.state[chosen]
    sums = np.bincount(keys, spans.dur_ns[chosen])
    for key in np.flatnonzero(sums).tolist():
        line = own.of(key // many)
        if line is not None:
            waits[line][STATES[key % many]] += round(sums[key])
    work = sampled_work(trace)
    sums = np.bincount(work.stack, work.ns)
    for stack in np.flatnonzero(sums).tolist():
        line = own.of(stack)
        if line is not None:
            ran[line] += round(sums[stack])
    found = [LineStates(*line, ran[line], dict(waits[line])) for line in {**ran, **waits}]
    return tuple(sorted(found, key=lambda one: (-one.ns, one.file, one.line))[:_KEPT])


class _Lines:
    """The innermost line of the target's own code in every stack; each is looked up once."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._known: dict[int, _Line | None] = {}

    def of(self, stack: int) -> _Line | None:
        """Return file, line and function; None where nothing in the stack is the target's own."""
        if stack not in self._known:
            frames = self._stacks.frames(stack)
            own = next((one for one in frames if is_own_file(one.function.file)), None)
            self._known[stack] = (
                None if own is None else (own.function.file, own.line, own.function.name)
            )
        return self._known[stack]
