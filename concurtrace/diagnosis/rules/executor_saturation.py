"""Calls given to an executor wait long for one of its threads.

``asyncio.to_thread`` and ``run_in_executor(None, …)`` share one pool of min(32, cores + 4) threads.
When they are all at work, the next call waits, and the task that awaits it does too.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.analysis.concurrency import WANTING
from concurtrace.analysis.core_use import peak
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.states import State
from concurtrace.units import count_text, share_text, time_text

QUEUED = Limits(0.2, 0.4)
"""Share of the calls' time from giving to end that they waited for a thread."""
FEWEST = 5
"""Calls: a pool that is just being started is no pool that is too small."""
LEAST_NS = 1_000_000
"""Mean wait below which it is the time that starting a thread takes."""
SHARE = 0.1
"""Share of the run in which calls queued below which little is to be gained."""


def check(case: Case) -> Iterable[Answer]:
    """Add up how long calls waited for a thread, and how long they ran."""
    jobs = case.loops.tasks.jobs
    begun = np.flatnonzero((jobs.started_ns > 0) & (jobs.task >= 0))
    waited = jobs.started_ns[begun] - jobs.submitted_ns[begun]
    ran = jobs.ended_ns[begun] - jobs.started_ns[begun]
    whole = int(waited.sum() + ran.sum())
    share = int(waited.sum()) / whole if whole else 0.0
    mean = int(waited.sum()) / max(len(begun), 1)
    span = int(jobs.ended_ns[begun].max() - jobs.submitted_ns[begun].min()) if whole else 0
    tids = np.unique(jobs.tid[begun]).tolist()
    enough = len(begun) >= FEWEST and mean >= LEAST_NS and span >= SHARE * case.wall_ns
    if not enough or share < QUEUED.info or _compute(case, tids):
        yield fine("No call that waits had to wait for a thread too.", queued_share=share)
        return
    threads = len(tids)
    wanted = peak(
        zip(jobs.submitted_ns[begun].tolist(), jobs.ended_ns[begun].tolist(), strict=True)
    )
    gain_ns = round(span * (1 - threads / max(wanted, threads)))
    figures = case.loops.figures
    stacks, sums = np.unique(jobs.stack[begun], return_inverse=True)
    order = np.argsort(-np.bincount(sums, waited, len(stacks)))
    places = [figures.places.of(int(stacks[number])) for number in order[:3].tolist()]
    yield Answer(
        QUEUED.judge(share),
        f"{count_text(len(begun))} calls given to an executor waited {share_text(share)} of their"
        f" time for one of its {threads} threads, {time_text(mean)} each.",
        f"Up to {wanted} calls were wanted at once.",
        "Give the executor more threads: ThreadPoolExecutor(max_workers=…) with"
        " loop.set_default_executor, if the calls wait rather than compute; or make fewer at once.",
        tuple(dict.fromkeys(place for place in places if place)),
        (
            int(jobs.submitted_ns[begun].min()) - case.whole.start_ns,
            int(jobs.ended_ns[begun].max()) - case.whole.start_ns,
        ),
        {"calls": len(begun), "threads": threads, "wanted": wanted, "queued_share": share},
        gain_ns=min(gain_ns, case.wall_ns),
        cause=Cause.POOL,
        thing=_executor(case, tids),
    )


def _compute(case: Case, tids: list[int]) -> bool:
    """Tell whether the calls want cores rather than wait: then more threads would wait for them."""
    threads = [one for one in case.trace.threads if one.tid in tids]
    waited = sum(one.ns(State.IO_WAIT, State.SLEEP) for one in threads)
    return sum(one.ns(*WANTING) for one in threads) > waited


def _executor(case: Case, tids: list[int]) -> str:
    """Name an executor as the crew of its threads is named, so that one pool is one story."""
    named = (one.name for one in case.crews if {thread.tid for thread in one.threads} & set(tids))
    return next(named, "an executor")


RULE = Rule(
    "executor-saturation",
    frozenset({Part.TASKS}),
    check,
    refines=frozenset({"small-pool"}),
)
