"""Python's garbage collector takes a good part of the time, or stops everything for long.

Reference counts free most objects at once. The collector looks for cycles among all others that
could be in one: the more of them are alive, the longer it takes. It holds the GIL all the while.
"""

from collections.abc import Iterable

from concurtrace.analysis.contention import overlap_ns
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.runtime import Generation
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Process
from concurtrace.units import count_text, share_text, time_text

SHARE = Limits(0.05, 0.1)
"""Share of a process's time that its collections take (JMC's limits for garbage collection)."""
LONGEST_NS = 1_000_000_000
"""A single collection that takes so long is told, however little all take together (JMC)."""
LEAST_NS = 50_000_000
"""Collections that take less in all are nothing that anybody waits for."""


def check(case: Case) -> Iterable[Answer]:
    """Judge the process whose collections took longest."""
    known = [one for one in case.trace.processes if one.collections is not None]
    worst = max(known, key=lambda one: _all(one).ns)
    whole = _all(worst)
    share = whole.ns / max(worst.end_ns - worst.start_ns, 1)
    severity = SHARE.judge(share)
    # Time in which the collector stood without a core is no fault of the code.
    if severity is Severity.WARNING and share * case.availability < SHARE.warn:
        severity = Severity.INFO
    if severity is Severity.OK and whole.longest_ns >= LONGEST_NS:
        severity = Severity.INFO
    if severity is Severity.OK or whole.ns < LEAST_NS:
        yield fine(f"Collecting garbage took {share_text(share)} of the time.", share=share)
        return
    spans = case.select(State.RUNNING, Reason.GC)
    waited = overlap_ns(case.trace, spans, case.select(State.GIL_WAIT))
    threads = [one for one in case.trace.threads_of(worst) if one.runs_python]
    generations = worst.collections or ()
    yield Answer(
        severity,
        f"Collecting garbage took {time_text(whole.ns)} in {worst.name}, {share_text(share)} of its"
        f" time: {count_text(whole.count)} collections, the longest {time_text(whole.longest_ns)}.",
        f"All of its {plural(len(threads), 'Python thread')} stand still meanwhile, for the"
        f" collector keeps the GIL; others were seen to wait {time_text(waited)} for it."
        f" {count_text(whole.freed)} objects were freed by it.",
        "Call gc.freeze() once what stays for good has been made, so that it is not looked at again"
        " and again; collect less often (gc.set_threshold), or not at all while a great many"
        " objects are made (gc.disable, gc.enable); keep data in arrays rather than in objects.",
        case.where(spans),
        case.window(spans),
        {
            "share": share,
            "gc_ns": whole.ns,
            "longest_ns": whole.longest_ns,
            "freed": whole.freed,
            "waited_ns": waited,
            **{f"generation_{n}": one.count for n, one in enumerate(generations)},
        },
        gain_ns=min(whole.ns, case.wall_ns),
        cause=Cause.CODE,
        thing="collector",
    )


def _all(process: Process) -> Generation:
    return sum(process.collections or (), Generation())


RULE = Rule("gc-pauses", frozenset({Part.STATES, Part.EXACT, Part.COLLECTIONS}), check)
