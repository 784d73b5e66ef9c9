"""Threads wait for the GIL more than they run.

One process has one GIL, and only its holder runs Python. Where it is held nearly all of the time
and threads queue for it, more threads bring nothing: the work is done by one core.
"""

from collections.abc import Iterable

from concurtrace.analysis.concurrency import WANTING
from concurtrace.analysis.contention import GilOfProcess, gils
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.locks import IN_PYTHON
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.model.trace import Thread
from concurtrace.units import share_text, time_text

HELD = Limits(0.5, 0.8)
"""Share of the time in which the GIL is held. POP calls an efficiency above 0.8 acceptable: from
there on what is left over for parallel work is less than what other overheads take."""
CONTENTION = 0.2
"""Share of the time wanted with the GIL that is spent waiting for it: below, it is a side show."""
NAMED = 0.05
"""Share of the waits that stood before locks from which they are mentioned."""
RUNNER = 0.1
"""A thread that waited for less of the time, or ran half as much beside others, is no rival; where
there are more than ten threads, one that got less than half of an equal share of the time."""


def check(case: Case) -> Iterable[Answer]:
    """Judge the process whose threads waited longest."""
    gil = gils(case.trace)[0]
    behind_ns = _behind_ns(case, gil.process)
    wait_ns = gil.wait_ns + behind_ns
    contended = wait_ns / max(wait_ns + gil.running_ns, 1)
    least_ns = min(RUNNER, 1 / max(len(gil.threads), 1)) * gil.life_ns
    runners = [one for one in gil.threads if _contested_ns(case, one, behind_ns) > least_ns / 2]
    waits = (State.GIL_WAIT, State.LOCK_WAIT) if behind_ns else (State.GIL_WAIT,)
    waiters = [one for one in gil.threads if one.ns(*waits) > least_ns]
    held, contention = share_text(gil.held), share_text(contended)
    if len(runners) < 2 or contended < CONTENTION or not waiters:
        yield fine(
            f"The GIL was held {held} of the time and hardly waited for.",
            held=gil.held,
            contention=contended,
        )
        return
    severity = HELD.judge(gil.held)
    if severity is Severity.OK:
        yield fine(f"The GIL was held {held} of the time.", held=gil.held)
        return
    gain = ideal_gain_ns(case, gil)
    name = case.trace.processes[gil.process].name
    yield Answer(
        severity,
        f"The GIL was held {held} of the time; {plural(len(waiters), 'thread')} waited"
        f" {time_text(wait_ns)} for it{_through_locks(behind_ns, wait_ns)}.",
        f"Threads of {name} that had Python to run spent {contention} of that time waiting for"
        f" their turn. More threads cannot help: together they use one core of"
        f" {case.cores:g}.",
        "Give the work to processes, to native code that lets go of the GIL (NumPy, hashlib,"
        " zlib…), or to a free-threaded Python. Lowering the number of threads costs nothing.",
        case.sampled(case.rows(runners)),
        case.window(case.select(State.GIL_WAIT)),
        {
            "held": gil.held,
            "contention": contended,
            "wait_ns": wait_ns,
            "behind_locks_ns": behind_ns,
            "threads": len(waiters),
            "process": name,
        },
        gain_ns=gain,
        cause=Cause.GIL,
    )


def _behind_ns(case: Case, process: int) -> int:
    """Measure the waits for locks of a process whose holders had the GIL, or waited for it.

    Without the lock its waiters would have waited for the GIL instead.
    """
    return sum(
        round(lock.wait_ns * lock.holder_share(*IN_PYTHON))
        for lock in case.locks
        if case.trace.threads[int(case.trace.span_threads[lock.waits[0]])].process == process
    )


def _through_locks(behind_ns: int, wait_ns: int) -> str:
    if behind_ns < NAMED * wait_ns:
        return ""
    return f", {time_text(behind_ns)} of that for locks whose holders had it or waited for it"


def _contested_ns(case: Case, thread: Thread, behind_ns: int) -> int:
    """Measure how long a thread ran Python while others wanted to, or waited behind a lock to."""
    (row,) = case.rows([thread])
    alone = max(0, int(case.concurrency.alone_ns[row]) - behind_ns)
    wanted = thread.ns(*WANTING)
    return wanted - alone - thread.ns(State.GIL_WAIT, State.RUNNABLE, State.RUNNING_NOGIL)


def ideal_gain_ns(case: Case, gil: GilOfProcess) -> int:
    """Return what sharing the held time among the cores would bring at most."""
    longest = max((one.ns(State.RUNNING) for one in gil.threads), default=0)
    return max(0, gil.held_ns - round(max(gil.held_ns / max(case.cores, 1.0), longest)))


RULE = Rule(
    "gil-saturation",
    frozenset({Part.STATES, Part.GIL}),
    check,
    refines=frozenset({"negative-scaling"}),
)
