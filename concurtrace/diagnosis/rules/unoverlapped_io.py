"""The run waits for one peer, file or timer after the other, though the waits could overlap.

While a program waits for a peer it can ask the next. Threads, or an event loop, let waits pass side
by side at hardly any cost.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.concurrency import Steps
from concurtrace.analysis.task_steps import loop_rows
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import count_text, share_text, time_text

ON_PATH = Limits(0.5, 0.8)
"""Share of the critical path spent on input and output: from half on overlapping it brings more
than any faster code could."""
AT_ONCE = 1.2
"""Mean number of waits side by side up to which they pass one after the other."""
FEWEST = 5
"""Waits: fewer leave nothing to overlap."""
LEAST_NS = 200_000
"""A wait shorter than what starting a thread costs is not worth one."""


def check(case: Case) -> Iterable[Answer]:
    """Measure input and output on the critical path, and how many waits passed at once."""
    spans = case.trace.spans
    waits = case.select(State.IO_WAIT, Reason.NET, Reason.FILE, Reason.OTHER, Reason.NONE)
    polls = case.select(State.IO_WAIT, Reason.POLL) & (spans.waker == 0)
    # An event loop with nothing ready: what overlaps meanwhile only its tasks tell.
    waits |= polls & ~np.isin(case.trace.span_threads, loop_rows(case.loops.tasks, case.trace))
    on_path = np.isin(spans.state[case.path.span], [State.IO_WAIT.code]) & waits[case.path.span]
    path_ns = int(case.path.span_ns[on_path].sum())
    share = path_ns / max(case.path.length_ns, 1)
    worth = waits & (spans.dur_ns >= LEAST_NS)
    times = Steps.during(case.trace, waits).time_at()
    busy = int(times[1:].sum())
    at_once = float((times * np.arange(len(times))).sum()) / busy if busy else 0.0
    severity = ON_PATH.judge(share)
    if severity is Severity.OK or at_once > AT_ONCE or int(worth.sum()) < FEWEST:
        yield fine("Input and output did not hold up the run.", path_share=share, at_once=at_once)
        return
    count = int(worth.sum())
    yield Answer(
        severity,
        f"{share_text(share)} of the run was waiting for input and output, one wait after the"
        f" other: {time_text(path_ns)} in {count_text(count)} waits.",
        f"On average {at_once:.1f} such waits passed at once while there were any.",
        "Let them overlap: a few threads, or coroutines with asyncio.gather or a TaskGroup, if no"
        " answer is needed for the next question.",
        case.where(worth),
        case.window(worth),
        {"path_ns": path_ns, "path_share": share, "waits": count, "at_once": at_once},
        gain_ns=path_ns - max(path_ns // count, int(spans.dur_ns[worth].max())),
        cause=Cause.IO,
        thing="one by one",
        explained_by=frozenset({Cause.LOCK, Cause.POOL}),
    )


RULE = Rule("unoverlapped-io", frozenset({Part.STATES, Part.EXACT}), check)
