"""Packing, sending and unpacking messages between processes takes a large part of the work.

Processes share nothing: what one hands another is pickled, written into a pipe, read and unpickled.
For small pieces of work, or large data, that costs more than the work.
"""

from collections.abc import Iterable

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.crew import message_stacks
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.spans import SpanFlag
from concurtrace.model.states import Reason, State
from concurtrace.units import share_text, time_text

SHARE = Limits(0.2, 0.4)
"""Share of all work that is packing, unpacking, and waiting for room in a pipe."""
LEAST = 0.1
"""Share of the run that all this takes: below, it does not matter."""
FEWEST = 20
"""Samples: fewer say little about where time went."""


def check(case: Case) -> Iterable[Answer]:
    """Count samples of running threads inside of multiprocessing's message passing."""
    trace, samples = case.trace, case.trace.samples
    if sum(one.parent is not None for one in trace.processes) == 0:
        yield fine("No process was started.")
        return
    worked = sum(one.ns(*WORKING) for one in trace.threads)
    full = case.select(State.IO_WAIT, Reason.IPC) & ((trace.spans.flags & SpanFlag.WRITE) != 0)
    full_ns = int(trace.spans.dur_ns[full].sum())
    packing, seen = 0.0, 0
    if samples is not None and len(samples) >= FEWEST:
        inside = message_stacks(trace.stacks)[samples.stack]
        packing, seen = float(inside.mean()), len(samples)
    else:
        packing = _folded_share(case)
    cost = round(packing * worked) + full_ns
    share = cost / max(worked + full_ns, 1)
    severity = SHARE.judge(share)
    if severity is Severity.OK or cost < LEAST * case.wall_ns:
        yield fine("Messages between processes cost little.", share=share)
        return
    yield Answer(
        severity,
        f"{share_text(share)} of all work was passing messages between processes: packing them,"
        f" unpacking them, and waiting for room in a pipe ({time_text(cost)}).",
        f"Seen in {seen} samples of running threads." if seen else "Seen where waits began.",
        "Hand over more per message (chunksize), send names or indexes rather than data, return"
        " less, or put arrays into shared_memory.",
        case.where(full, 1),
        evidence={"share": share, "packing": packing, "pipe_full_ns": full_ns},
        gain_ns=min(cost, case.wall_ns),
        cause=Cause.IPC,
        explained_by=frozenset({Cause.START}),
    )


def _folded_share(case: Case) -> float:
    """Guess, without samples, from the function tables: own time in pickling and pipes."""
    profile = case.recording.functions
    rows = [row for table in profile.tables for row in table.stats] if profile else []
    packs = [row for row in rows if "pickle" in row.function.name or "posix" in row.function.name]
    whole = sum(row.own_ns for row in rows)
    return sum(row.own_ns for row in packs) / whole if whole else 0.0


RULE = Rule("ipc-overhead", frozenset({Part.STATES, Part.EXACT}), check)
