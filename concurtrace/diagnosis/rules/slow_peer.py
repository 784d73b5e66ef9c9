"""One answer from elsewhere takes very long, and the run waits for it.

Where it is one wait and not many, nothing overlaps it: the peer, the network or the file is slow.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.units import share_text, time_text

NET_S = Limits(0.275, 2.0)
"""Longest wait for a peer on the critical path, in seconds (JMC's socket rule)."""
FILE_S = Limits(2.0, 4.0)
"""Longest wait for a file (JMC warns at four seconds; half of that informs)."""
SHARE = Limits(0.05, 0.2)
"""Share of the run that such waits take on the critical path."""


def check(case: Case) -> Iterable[Answer]:
    """Look at the longest waits on the critical path that nothing of the target ended."""
    spans, path = case.trace.spans, case.path
    told = False
    for reason, limits, what in (
        (Reason.NET, NET_S, "an answer from the network"),
        (Reason.FILE, FILE_S, "a file"),
    ):
        waits = case.select(State.IO_WAIT, reason) & (spans.waker == 0)
        waits &= spans.dur_ns >= limits.info * 1e9
        on_path = waits[path.span]
        path_ns = int(path.span_ns[on_path].sum())
        rows = np.unique(path.span[on_path])
        if not len(rows):
            continue
        longest = int(spans.dur_ns[rows].max())
        severity = max(
            limits.judge(longest / 1e9), SHARE.judge(path_ns / case.wall_ns), key=_harmless
        )
        if severity is Severity.OK:
            continue
        told = True
        mask = case.mask(rows)
        yield Answer(
            severity,
            f"The run waited {time_text(longest)} at one go for {what}"
            f" ({plural(len(rows), 'such wait')}, {time_text(path_ns)} on the critical path).",
            f"That is {share_text(path_ns / case.wall_ns)} of the run; nothing of the target ended"
            " these waits.",
            "Ask for it earlier and do something else meanwhile, set a time limit and retry, keep"
            " what was answered before, or look into why the other side is slow.",
            case.where(mask),
            case.window(mask),
            {"longest_ns": longest, "path_ns": path_ns, "waits": len(rows)},
            gain_ns=path_ns,
            cause=Cause.IO,
            thing=f"slow {reason.word}",
        )
    if not told:
        yield fine("No single answer kept the run waiting for long.")


def _harmless(severity: Severity) -> int:
    return (Severity.WARNING, Severity.INFO, Severity.OK).index(severity)


RULE = Rule("slow-peer", frozenset({Part.STATES, Part.EXACT}), check)
