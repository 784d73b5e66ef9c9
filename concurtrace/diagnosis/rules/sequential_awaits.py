"""A task awaits one thing after the other at one line, though the waits could overlap.

Each await is asynchronous, but the next begins only when the last has ended: nothing is gained over
a plain call as long as no other task has anything to do. This is a candidate, for whether a wait
needs the result of the one before is not seen from outside.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.loop_replay import Change
from concurtrace.analysis.overlap import shared_ns
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.loops import advice, foretell
from concurtrace.model.report import Severity
from concurtrace.model.tasks import Await, Flavour, StepFlag, TaskState
from concurtrace.units import count_text, share_text, time_text

FEWEST = 3
"""Waits in a row: fewer are no series."""
SHARE = Limits(0.25, 0.5)
"""Share of the run that the waits of one task at one line take together."""
LEAST_NS = 500_000
"""A mean wait shorter than that is hardly longer than making a task for it."""
CONVERSATIONS = 3
"""So many new connections or jobs at one line show that the waits are not one conversation."""
OTHERS = 0.5
"""Share of the waits in which other tasks work or wait for the same from which they overlap."""

_REMEDY = {
    Flavour.ASYNCIO: (
        "Start them together: asyncio.gather, or a TaskGroup, with a Semaphore where they are"
        " very many."
    ),
    Flavour.GREENLET: (
        "Start them together: gevent.spawn and joinall, with a gevent.pool.Pool where they are"
        " very many."
    ),
    Flavour.TWISTED: (
        "Start them together and yield defer.gatherResults, with a DeferredSemaphore where they"
        " are very many."
    ),
}


@dataclass(frozen=True)
class _Series:
    task: int
    where: str
    waits: NDArray[np.intp]
    ns: int
    longest_ns: int
    anew: bool


def check(case: Case) -> Iterable[Answer]:
    """Look for series of waits of one task at one line, with no other of the kind beside them."""
    series = _series(case)
    told = False
    for one in series[:1]:
        share = one.ns / max(case.wall_ns, 1)
        gain_ns = one.ns - one.longest_ns
        severity = SHARE.judge(share)
        if severity is Severity.OK:
            continue
        told = True
        figures = case.loops.figures
        yield Answer(
            severity if one.anew else Severity.INFO,
            f"{figures.coroutine(one.task)} waited {count_text(len(one.waits))} times one after the"
            f" other at one line, {time_text(one.ns)} in all, {share_text(share)} of the run.",
            "Nothing of the kind went on beside it. A candidate: it holds if no wait needs the"
            " result of the one before.",
            advice(case, int(case.loops.tasks.steps.loop[one.waits[0]]), _REMEDY),
            (one.where,),
            _window(case, one.waits),
            {"waits": len(one.waits), "waited_ns": one.ns, "longest_ns": one.longest_ns},
            foretell(
                case,
                "the waits overlap (gather)",
                int(case.loops.tasks.steps.loop[one.waits[0]]),
                _together(case, one.waits),
                ("no wait needs the result of another", "who is asked can answer all at once"),
            ),
            gain_ns=gain_ns,
            cause=Cause.IO,
            thing="one by one",
        )
    if not told:
        yield fine("No task waited for one thing after the other.")


def _series(case: Case) -> list[_Series]:
    figures, steps = case.loops.figures, case.loops.tasks.steps
    kinds = figures.step_kinds
    wanted = np.isin(kinds, [Await.IO.code, Await.EXECUTOR.code, Await.TASK.code])
    wanted &= (steps.task >= 0) & (steps.await_ns > 0) & ((steps.flags & StepFlag.FIRST) == 0)
    wanted &= (steps.flags & StepFlag.GATHER) == 0
    rows = np.flatnonzero(wanted)
    groups: dict[tuple[int, str], list[int]] = {}
    for row in rows.tolist():
        place = figures.places.of(int(steps.stack[row]))
        if place is not None:
            groups.setdefault((int(steps.task[row]), place), []).append(row)
    found = []
    for (task, place), waits in groups.items():
        own = np.array(waits, np.intp)
        ns = int(steps.await_ns[own].sum())
        if len(own) < FEWEST or ns < LEAST_NS * len(own) or ns < SHARE.info * case.wall_ns:
            continue
        if max(_beside(case, task, rows, own), _under_way(case, task, own)) < OTHERS:
            longest = int(steps.await_ns[own].max())
            found.append(_Series(task, place, own, ns, longest, _anew(case, own)))
    return sorted(found, key=lambda one: -one.ns)


def _beside(case: Case, task: int, rows: NDArray[np.intp], own: NDArray[np.intp]) -> float:
    """Return the share of some waits in which other tasks waited for the like, or for this one."""
    steps = case.loops.tasks.steps
    ends = steps.start_ns - steps.ready_ns
    others = rows[(steps.task[rows] != task) & (steps.await_ns[rows] >= LEAST_NS)]
    # Who awaits the task, itself or through others, waits with it and not beside it.
    tasks = case.loops.tasks.tasks
    above, waits_for_it = int(tasks.waiter[task]), []
    while above >= 0 and above not in waits_for_it:
        waits_for_it.append(above)
        above = int(tasks.waiter[above])
    others = others[~np.isin(steps.task[others], [*waits_for_it, int(tasks.parent[task])])]
    if not len(others):
        return 0.0
    begins = ends[others] - steps.await_ns[others]
    covered = 0
    for row in own.tolist():
        end = int(ends[row])
        start = end - int(steps.await_ns[row])
        shared = np.minimum(ends[others], end) - np.maximum(begins, start)
        covered += min(int(np.max(shared, initial=0)), end - start)
    return covered / max(int(steps.await_ns[own].sum()), 1)


def _under_way(case: Case, task: int, own: NDArray[np.intp]) -> float:
    """Return the share of some waits in which several of the tasks or jobs waited for went on.

    Who starts many and then awaits one after the other loses nothing by it.
    """
    steps, tasks, jobs = case.loops.tasks.steps, case.loops.tasks.tasks, case.loops.tasks.jobs
    until = steps.start_ns[own] - steps.ready_ns[own]
    since = until - steps.await_ns[own]
    given = np.flatnonzero(jobs.task == task)
    ended = np.where(jobs.ended_ns > 0, jobs.ended_ns, case.whole.end_ns)
    longest = shared_ns(jobs.submitted_ns[given], ended[given], since, until)
    children = tasks.parent == task
    done = tasks.state == TaskState.DONE.code
    over = np.where(done, tasks.since_ns, case.whole.end_ns)
    # Only tasks made at one line are of a kind: one that ticks beside does not do their work.
    for place in np.unique(tasks.made_at[children]).tolist():
        alike = np.flatnonzero(children & (tasks.made_at == place))
        longest = max(longest, shared_ns(tasks.created_ns[alike], over[alike], since, until))
    return longest / max(int(steps.await_ns[own].sum()), 1)


def _anew(case: Case, waits: NDArray[np.intp]) -> bool:
    """Tell whether each wait began something new: a job, a task, or another connection."""
    figures, steps = case.loops.figures, case.loops.tasks.steps
    if int(np.isin(figures.step_kinds[waits], [Await.EXECUTOR.code, Await.TASK.code]).sum()) > 2:
        return True
    connects = 0
    for stack in steps.stack[waits].tolist():
        frames = case.loops.tasks.stacks.frames(stack)
        connects += any("connect" in frame.function.name for frame in frames)
    return connects >= CONVERSATIONS


def _together(case: Case, waits: NDArray[np.intp]) -> Change:
    """Let only the longest of some waits take time."""
    longest = int(waits[np.argmax(case.loops.tasks.steps.await_ns[waits])])
    return Change(await_ns={row: 0 for row in waits.tolist() if row != longest})


def _window(case: Case, waits: NDArray[np.intp]) -> tuple[int, int]:
    steps, zero_ns = case.loops.tasks.steps, case.whole.start_ns
    began = steps.start_ns[waits] - steps.ready_ns[waits] - steps.await_ns[waits]
    return int(began.min()) - zero_ns, int(steps.start_ns[waits].max()) - zero_ns


RULE = Rule(
    "sequential-awaits",
    frozenset({Part.TASKS}),
    check,
    refines=frozenset({"unoverlapped-io"}),
)
