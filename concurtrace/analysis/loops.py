"""Event loops: how busy they were, how late what they ran, and which steps held them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.places import Places, own_frame, where
from concurtrace.analysis.task_steps import (
    BlockingCalls,
    blocking_calls,
    kept_ns,
    lateness,
    loop_rows,
    main_state,
    own_ns,
)
from concurtrace.model.spans import Frame
from concurtrace.model.states import Reason, State
from concurtrace.model.task_report import BlockedStep, LoopReport
from concurtrace.model.tasks import NOBODY, Flavour, Loop, bucket_ns, percentile_ns
from concurtrace.model.trace import ObjectKind, Trace
from concurtrace.recording.reasons import standard_module

if TYPE_CHECKING:
    from concurtrace.analysis.tasks import TaskFigures

SLOW_NS = 10_000_000
"""A step from that length on keeps others waiting for a time that somebody notices."""
_KEPT = 200
"""So many of the longest steps of a loop are told."""
_ROUNDS = 10
"""A thread that waited for events so often runs an event loop, whatever framework it is."""


class LoopFigures:
    """What single steps did, worked out once: asleep in the kernel, and who was late."""

    def __init__(self, figures: TaskFigures, trace: Trace | None) -> None:
        self.figures, self.tasks, self.trace = figures, figures.trace, trace
        self.own_ns = own_ns(self.tasks.steps)
        """How long each step took without those nested in it."""
        none = np.empty(0, np.intp)
        self.calls = BlockingCalls(none, none, np.empty(0, np.int64))
        self.places: Places | None = None
        if trace is not None and len(trace.spans):
            self.calls = blocking_calls(self.tasks, trace)
            self.places = Places(trace.stacks)
        self.off_core_ns = self.calls.per_step(len(self.tasks.steps))
        self.kept_ns = np.zeros(len(self.tasks.steps), np.int64)
        """How long each step was kept from running, by others on the cores or with the GIL."""
        if trace is not None and len(trace.spans):
            self.kept_ns = kept_ns(self.tasks, trace)

    @property
    def free_ns(self) -> NDArray[np.int64]:
        """How long each step had what it needs to run, asleep or at work."""
        return self.own_ns - self.kept_ns

    def slow(self, least_ns: int = SLOW_NS) -> NDArray[np.intp]:
        """Return the steps of at least some length, the longest first."""
        found = np.flatnonzero(self.own_ns >= least_ns)
        ranked: NDArray[np.intp] = found[np.argsort(-self.own_ns[found])]
        return ranked

    def describe(self, step: int, zero_ns: int) -> BlockedStep:
        """Tell one step: what ran, where, and who was late because of it."""
        steps, figures = self.tasks.steps, self.figures
        task = int(steps.task[step])
        late, late_ns = lateness(steps, np.array([step], np.intp))
        off_ns = int(self.off_core_ns[step])
        state, place, call = None, "", ""
        if off_ns and off_ns * 2 >= int(self.own_ns[step]) - int(self.kept_ns[step]):
            state, span = main_state(self._known(), self.calls, step)
            place, call = self.place_of_span(span), self._call(span)
        if not place:
            place = self._sampled(step) or self.place_of_step(step)
        if task != NOBODY:
            coroutine = figures.coroutine(task)
        else:
            frames = self.tasks.stacks.frames(int(steps.stack[step]))
            coroutine = frames[0].function.name if frames else ""
        return BlockedStep(
            start_ns=int(steps.start_ns[step]) - zero_ns,
            ns=int(self.own_ns[step]),
            off_core_ns=off_ns,
            task=figures.name(task),
            coroutine=coroutine,
            where=place,
            call=call,
            state=state,
            late=int(late[0]),
            late_ns=int(late_ns[0]),
        )

    def _known(self) -> Trace:
        if self.trace is None:
            raise ValueError("there are no states to look at")
        return self.trace

    def place_of_span(self, span: int) -> str:
        """Name the user's line in which a thread slept; "" where it is not known."""
        places, trace = self.places, self._known()
        found = places.of(int(trace.spans.stack[span])) if places is not None else None
        return found or ""

    def _call(self, span: int) -> str:
        """Say what a thread slept in, as far as that is known."""
        trace = self._known()
        thing = trace.objects[int(trace.spans.object[span])]
        return thing.text or ("" if thing.kind is ObjectKind.OTHER else thing.kind.value)

    def place_of_step(self, step: int) -> str:
        """Name where a step began: behind the await that had ended, or its function."""
        steps, figures = self.tasks.steps, self.figures
        task = int(steps.task[step])
        stack = int(steps.stack[step])
        if not stack and task != NOBODY:
            function = figures.function(task)
            return f"{function.file}:{function.line} in {function.name}"
        return figures.places.of(stack) or ""

    def _sampled(self, step: int) -> str:
        """Name where the thread was seen most during a step that ran."""
        trace, steps = self.trace, self.tasks.steps
        samples = trace.samples if trace is not None else None
        if samples is None or self.places is None:
            return ""
        low, high = np.searchsorted(samples.time_ns, [steps.start_ns[step], steps.end_ns[step]])
        tid = self.tasks.loops[int(steps.loop[step])].tid if steps.loop[step] >= 0 else 0
        mine = samples.stack[low:high][samples.tid[low:high] == tid]
        if not len(mine):
            return ""
        stacks, counts = np.unique(mine, return_counts=True)
        return self.places.of(int(stacks[np.argmax(counts)])) or ""


def loop_reports(figures: TaskFigures, trace: Trace | None, zero_ns: int) -> tuple[LoopReport, ...]:
    """Tell all loops; those of unknown frameworks, as the states show them, come last."""
    found = LoopFigures(figures, trace)
    rows = loop_rows(figures.trace, trace) if trace is not None else None
    threads = [_thread(trace, row) for row in rows.tolist()] if rows is not None else None
    told = [
        _loop(found, number, one, threads[number] if threads else "", zero_ns)
        for number, one in enumerate(figures.trace.loops)
    ]
    if trace is not None:
        told += unknown_loops(trace, {one.tid for one in figures.trace.loops})
    return tuple(told)


def _thread(trace: Trace | None, row: int) -> str:
    return trace.threads[row].name if trace is not None and row >= 0 else ""


def _loop(found: LoopFigures, number: int, loop: Loop, thread: str, zero_ns: int) -> LoopReport:
    steps = found.tasks.steps
    slow = found.slow()
    mine = slow[steps.loop[slow] == number][:_KEPT]
    whole_ns = max(loop.end_ns - loop.start_ns, 1)
    busy_ns = max(loop.in_ns - loop.idle_ns, loop.steps_ns + loop.callbacks_ns)
    return LoopReport(
        pid=found.tasks.processes[loop.process].pid,
        tid=loop.tid,
        thread=thread,
        name=loop.name.rpartition(".")[2],
        flavour=loop.flavour,
        start_ns=loop.start_ns - zero_ns,
        end_ns=loop.end_ns - zero_ns,
        utilisation=min(busy_ns / whole_ns, 1.0),
        busy_ns=busy_ns,
        idle_ns=loop.idle_ns,
        steps=loop.steps,
        steps_ns=loop.steps_ns,
        callbacks=loop.callbacks,
        callbacks_ns=loop.callbacks_ns,
        iterations=loop.iterations,
        longest_iteration_ns=loop.longest_iteration_ns,
        lag_p50_ns=percentile_ns(loop.lag, 0.5),
        lag_p99_ns=percentile_ns(loop.lag, 0.99),
        lag_max_ns=loop.lag_most_ns,
        ready_mean=loop.ready_sum / loop.iterations if loop.iterations else 0.0,
        ready_most=loop.ready_most,
        lag=tuple(
            (bucket_ns(bucket), int(loop.lag[bucket]))
            for bucket in np.flatnonzero(loop.lag).tolist()
        ),
        blocked=tuple(found.describe(int(step), zero_ns) for step in mine),
    )


def unknown_loops(trace: Trace, known: set[int]) -> list[LoopReport]:
    """Find threads that wait for events again and again: loops whose framework is not known.

    A socket with a time limit polls too: a selector must have made the wait, or it be for an epoll.
    Once a thread is known to be a loop, all its polls are, also those too short for a stack.
    """
    spans = trace.spans
    polls = spans.in_state(State.IO_WAIT) & (spans.reason == Reason.POLL.code)
    kinds = np.array([one.kind is ObjectKind.EPOLL for one in trace.objects])
    selects = np.zeros(len(trace.stacks.parent), bool)
    for stack in np.unique(spans.stack[polls]).tolist():
        selects[stack] = any(_selects(frame) for frame in trace.stacks.frames(stack))
    sure = polls & (kinds[spans.object] | selects[spans.stack])
    told = []
    for row, thread in enumerate(trace.threads):
        mine = slice(thread.first, thread.last)
        if int(sure[mine].sum()) >= _ROUNDS and thread.tid not in known:
            told.append(_unknown_loop(trace, row, np.flatnonzero(polls[mine]) + thread.first))
    return told


def _selects(frame: Frame) -> bool:
    """Tell whether a frame is one that waits for events on behalf of others: Trio's, a selector."""
    file = frame.function.file
    return standard_module(file) == "selectors" or "epoll" in file.rpartition("/")[2]


def _unknown_loop(trace: Trace, row: int, polls: NDArray[np.intp]) -> LoopReport:
    thread, spans = trace.threads[row], trace.spans
    start_ns, end_ns = int(spans.start_ns[polls[0]]), int(spans.end_ns[polls[-1]])
    idle_ns = int(spans.dur_ns[polls].sum())
    busy = spans.start_ns[polls[1:]] - spans.end_ns[polls[:-1]]
    longest = np.argsort(-busy)[:_KEPT]
    blocked = [
        _blocked_round(trace, int(polls[one]) + 1, int(polls[one + 1]))
        for one in longest[busy[longest] >= SLOW_NS].tolist()
    ]
    return LoopReport(
        pid=trace.processes[thread.process].pid,
        tid=thread.tid,
        thread=thread.name,
        name="",
        flavour=Flavour.UNKNOWN,
        start_ns=start_ns - trace.start_ns,
        end_ns=end_ns - trace.start_ns,
        utilisation=1 - idle_ns / max(end_ns - start_ns, 1),
        busy_ns=end_ns - start_ns - idle_ns,
        idle_ns=idle_ns,
        steps=0,
        steps_ns=0,
        callbacks=0,
        callbacks_ns=0,
        iterations=len(polls),
        longest_iteration_ns=int(busy.max(initial=0)),
        lag_p50_ns=None,
        lag_p99_ns=None,
        lag_max_ns=None,
        ready_mean=0.0,
        ready_most=0,
        lag=(),
        blocked=tuple(blocked),
    )


def _blocked_round(trace: Trace, first: int, last: int) -> BlockedStep:
    """Tell a round between two polls by the spans in it, not including the last."""
    spans = trace.spans.take(slice(first, last))
    start_ns, end_ns = int(spans.start_ns[0]), int(spans.end_ns[-1])
    asleep = spans.in_state(
        State.SLEEP, State.IO_WAIT, State.LOCK_WAIT, State.CONDITION_WAIT, State.CHILD_WAIT
    )
    off_ns = int(spans.dur_ns[asleep].sum())
    chosen = np.flatnonzero(asleep if off_ns * 2 >= end_ns - start_ns else ~asleep)
    longest = int(chosen[np.argmax(spans.dur_ns[chosen])])
    frame = own_frame(trace.stacks.frames(int(spans.stack[longest])))
    return BlockedStep(
        start_ns=start_ns - trace.start_ns,
        ns=end_ns - start_ns,
        off_core_ns=off_ns,
        task="",
        coroutine="",
        where="" if frame is None else where(frame),
        call="",
        state=tuple(State)[int(spans.state[longest])],
        late=0,
        late_ns=0,
    )
