"""Very many tiny reads or writes.

Each costs a system call, and with a GIL giving it up and taking it again. Larger blocks do the same
with far fewer.
"""

from collections.abc import Iterable

from concurtrace.analysis.task_steps import loop_rows
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import count_text, share_text, time_text

PER_SECOND = Limits(1_000, 5_000)
"""Calls per second, over the run: from the first figure on they can take a percent of it."""
SHARE = 0.05
"""Share of the run that the calls take, with the waits for the GIL that follow them."""
SHORT_NS = 200_000
"""Mean time of a call: a longer one waits for a peer, and its number is not the matter."""


def check(case: Case) -> Iterable[Answer]:
    """Count calls, from exact totals: most are too short to be kept singly."""
    calls, ns, row = 0, 0, 0
    # An event loop asks in each of its rounds what is ready: that is no input or output.
    loops = set(loop_rows(case.loops.tasks, case.trace).tolist())
    for number, thread in enumerate(case.trace.threads):
        total = thread.totals.get(State.IO_WAIT)
        if total is not None and total.count > calls and number not in loops:
            calls, ns, row = total.count, total.ns, number
    rate, mean = calls / (case.wall_ns / 1e9), ns / max(calls, 1)
    severity = PER_SECOND.judge(rate)
    share = ns / case.wall_ns
    if severity is Severity.OK or mean > SHORT_NS or share < SHARE:
        yield fine("Input and output were not made of very many tiny calls.", per_second=rate)
        return
    mine = case.mask_of([row], State.IO_WAIT)
    yield Answer(
        severity,
        f"{case.trace.threads[row].name} made {count_text(calls)} calls for input and output,"
        f" {count_text(round(rate))} a second, of {time_text(mean)} each.",
        f"Together they took {share_text(share)} of the run.",
        "Read and write larger blocks: buffered files, sendall of joined data, many rows at once.",
        case.where(mine),
        case.window(mine),
        {"calls": calls, "per_second": rate, "mean_ns": round(mean), "io_ns": ns},
        gain_ns=ns // 2,
        cause=Cause.IO,
        thing="chatty",
    )


RULE = Rule("chatty-io", frozenset({Part.STATES, Part.EXACT}), check)
