"""Threads wait for pages of memory that must be read from a disk first.

A page that was swapped out, or that belongs to a mapped file and is not in memory, is read when it
is touched. The thread sleeps meanwhile, in the middle of its work and, in Python, with the GIL.
"""

from collections.abc import Iterable

from concurtrace.analysis.concurrency import WORKING
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.pages import FEWEST, asleep_for_pages, faulting_rows
from concurtrace.model.report import Severity
from concurtrace.model.trace import CoreSource
from concurtrace.units import count_text, share_text, size_text, time_text

SHARE = Limits(0.01, 0.1)
"""Share of the run that threads sleep for pages."""
USUAL_NS = 100_000
"""What reading a page from a solid-state disk takes, where nobody saw the threads sleep."""
MOST_NS = 20_000_000
"""What it takes at most, on a disk that turns: a longer sleep is for something else."""
STALL = 0.1
"""Share of the run in which some program of the machine stood still for want of memory."""


def check(case: Case) -> Iterable[Answer]:
    """Weigh the faults of the target, and what the kernel says of the machine's memory."""
    strain = case.strain
    if strain is None:  # cannot be: the rule needs it
        return
    faults = strain.major_faults
    asleep = min(_asleep_ns(case, faults), case.strained_ns)
    share = asleep / max(case.strained_ns, 1)
    stalled = (strain.memory_stall_ns or 0) / max(case.strained_ns, 1)
    severity = SHARE.judge(share) if faults >= FEWEST else Severity.OK
    if severity is Severity.OK and stalled < STALL:
        yield fine(f"The program waited for {count_text(faults)} pages.", faults=faults)
        return
    swapped = strain.swapped_in_bytes or 0
    short = swapped > 0 or stalled >= STALL
    yield Answer(
        severity if severity is not Severity.OK else Severity.INFO,
        f"The program waited for {count_text(faults)} pages to be read from a disk,"
        f" about {time_text(asleep)}: {share_text(share)} of the run.",
        _why(swapped, stalled),
        "Use less memory: fewer worker processes, smaller chunks, data shared rather than copied;"
        " or give the machine more."
        if short
        else "Read a file in large pieces before the work rather than touching its mapped pages one"
        " by one (read(), or madvise with MADV_WILLNEED). A second run may find all in memory.",
        case.sampled(faulting_rows(case), 2),
        evidence={
            "faults": faults,
            "asleep_ns": asleep,
            "share": share,
            "memory_stall_ns": strain.memory_stall_ns or 0,
            "swapped_in_bytes": swapped,
        },
        gain_ns=asleep,
        cause=Cause.IO,
        thing="pages",
    )


def _why(swapped: int, stalled: float) -> str:
    if not swapped and stalled < STALL:
        return "The machine had memory enough: the pages are those of files that are mapped."
    told = f"{size_text(swapped)} were read back from swap meanwhile" if swapped else ""
    stood = f"some program stood still for want of it {share_text(stalled)} of the time"
    return f"The machine is short of memory: {'; '.join(filter(None, (told, stood)))}."


def _asleep_ns(case: Case, faults: int) -> int:
    """Measure how long threads with faults slept in no call; estimate it where nobody saw."""
    trace = case.trace
    if trace.core_source not in (CoreSource.SWITCHES, CoreSource.BOTH):
        return min(faults * USUAL_NS, _off_core_ns(case))
    asleep, whole = asleep_for_pages(case), 0
    for row in faulting_rows(case):
        mine = asleep & (trace.span_threads == row)
        most = (trace.threads[row].major_faults or 0) * MOST_NS
        whole += min(int(trace.spans.dur_ns[mine].sum()), most)
    return whole


def _off_core_ns(case: Case) -> int:
    """Add up how long those threads were at work without using a core, if that is known."""
    threads = [case.trace.threads[row] for row in faulting_rows(case)]
    if not threads or any(one.cpu_ns is None for one in threads):
        return case.strained_ns
    return sum(one.ns(*WORKING) - case.cpu_of(one) for one in threads)


RULE = Rule("major-faults", frozenset({Part.STRAIN}), check)
