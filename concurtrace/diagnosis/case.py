"""What the rules judge: one run, its figures worked out once and shared by all rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.concurrency import WORKING, Concurrency, availability, concurrency
from concurtrace.analysis.contention import ContendedLock, contended_locks
from concurtrace.analysis.crew import Crew, crews
from concurtrace.analysis.critical_path import (
    CriticalPath,
    critical_path,
    handed_on_ns,
    ns_by_state,
)
from concurtrace.analysis.loops import LoopFigures
from concurtrace.analysis.places import Places
from concurtrace.analysis.pool_jobs import PoolJobs, pool_jobs
from concurtrace.analysis.tasks import TaskFigures
from concurtrace.analysis.unchanged import Replayed, folded_share, replay_unchanged
from concurtrace.analysis.window import clip
from concurtrace.model.recording import Recording
from concurtrace.model.run import Environment, Execution, Pass, Strain, Target
from concurtrace.model.spans import Selection, Spans, Times
from concurtrace.model.states import Reason, State
from concurtrace.model.tasks import TaskTrace
from concurtrace.model.trace import CoreSource, Thread, Trace

_TOOL = re.compile(r"/concurtrace/(launch/|instruments/|on_import)")
_PLACES_NAMED = 3
_WORKER_SHARE = 0.05
"""A thread that was at work, or wanted to be, for less of the run is none of its workers."""


@dataclass(frozen=True, eq=False)
class Case:
    """One run before its judges; ``trace`` is cut to the work itself.

    ``whole`` is the trace with the start and the end of the interpreter; ``passes`` are all passes
    of the run.
    """

    recording: Recording
    passes: tuple[Pass, ...] = ()
    environment: Environment | None = None
    target: Target | None = None
    whole: Trace = field(init=False)

    def __post_init__(self) -> None:
        none = Trace((), (), Spans.empty(), 0, 0)
        object.__setattr__(self, "whole", self.recording.trace or none)

    @cached_property
    def recorded_by(self) -> Pass | None:
        """The pass that recorded the wait states."""
        return next((one for one in self.passes if "states" in one.instruments), None)

    @cached_property
    def execution(self) -> Execution | None:
        """The execution whose wait states were recorded."""
        runs = self.recorded_by.executions if self.recorded_by else ()
        return next(iter(runs), None)

    @property
    def strain(self) -> Strain | None:
        """What the machine withheld meanwhile, or in the first pass where there are no states."""
        runs = [run for one in self.passes for run in one.executions]
        found = self.execution or next(iter(runs), None)
        return found.strain if found is not None else None

    @property
    def strained_ns(self) -> int:
        """How long the execution took whose ``strain`` is told: start and end included."""
        runs = [run.wall_ns for one in self.passes for run in one.executions]
        return self.whole.wall_ns or next(iter(runs), 0)

    @cached_property
    def trace(self) -> Trace:
        """The trace of the work; of a script, where nobody says what the work is, all of it."""
        run = self.execution
        if run is None or not run.wall_ns or not len(self.whole.spans):
            return self.whole
        return clip(self.whole, run.start_ns, run.start_ns + run.wall_ns)

    @property
    def wall_ns(self) -> int:
        """How long the work took."""
        return self.trace.wall_ns

    @cached_property
    def cores(self) -> float:
        """How many cores the target may use: by affinity and by its control group's quota."""
        if self.environment is None:
            return 1.0
        machine = self.environment.machine
        return min(float(machine.usable_cores), machine.quota_cores or float(machine.usable_cores))

    @property
    def switch_interval_ns(self) -> int:
        """After how long a thread that waits for the GIL asks for it."""
        return self.environment.switch_interval_ns if self.environment else 5_000_000

    @cached_property
    def concurrency(self) -> Concurrency:
        """How parallel the work was."""
        return concurrency(self.trace)

    @cached_property
    def loops(self) -> LoopFigures:
        """The steps of event loops, laid over all that threads did; empty where there were none."""
        tasks = self.recording.tasks or TaskTrace.nothing()
        return LoopFigures(TaskFigures(tasks, self.whole.end_ns), self.whole)

    @cached_property
    def path(self) -> CriticalPath:
        """The critical path of the work."""
        return critical_path(self.trace)

    @cached_property
    def path_ns(self) -> dict[State, int]:
        """Time on the critical path by state."""
        return ns_by_state(self.trace, self.path)

    @cached_property
    def handed_on_ns(self) -> Times:
        """For every object, how long its holder kept the critical path while others waited."""
        return handed_on_ns(self.trace, self.path)

    @cached_property
    def replayed(self) -> Replayed | None:
        """The work, replayed as it was: what predictions start from."""
        return replay_unchanged(self.trace, self.cores, self.switch_interval_ns, self.taken_cores)

    @cached_property
    def folded_share(self) -> float:
        """The share of the threads' time in spans that were too short to be kept singly."""
        return folded_share(self.trace)

    @property
    def taken_cores(self) -> float | None:
        """How many of its cores other programs had meanwhile; None if that is not known."""
        load = self.recorded_by.competing_load if self.recorded_by else None
        return None if load is None else load * self.cores

    @property
    def workers_wanted(self) -> int:
        """How many workers the target was told to use; as many as cores where it was not."""
        given = self.target.parameters.get("workers") if self.target else None
        return given if isinstance(given, int) else max(1, int(self.cores))

    @cached_property
    def locks(self) -> tuple[ContendedLock, ...]:
        """Locks that threads waited for."""
        return contended_locks(self.trace)

    @cached_property
    def crews(self) -> tuple[Crew, ...]:
        """Threads and processes that share one kind of work."""
        return crews(self.trace)

    @cached_property
    def pool_jobs(self) -> tuple[PoolJobs, ...]:
        """Calls given to executors' threads, pool by pool."""
        return pool_jobs(self.loops.tasks, self.trace)

    @cached_property
    def places(self) -> Places:
        """Names of places in the code."""
        return Places(self.trace.stacks)

    @cached_property
    def cpu_ns(self) -> int:
        """CPU time of the work: the kernel's figures where there are any, else the states'."""
        return sum(self.cpu_of(thread) for thread in self.trace.threads)

    def cpu_of(self, thread: Thread) -> int:
        """CPU time of a thread; never more than it was at work."""
        worked = thread.ns(*WORKING)
        return worked if thread.cpu_ns is None else min(worked, thread.cpu_ns)

    @cached_property
    def ready_ns(self) -> int:
        """How long threads were ready without a core; also where no switch was recorded."""
        ready = sum(thread.ns(State.RUNNABLE) for thread in self.trace.threads)
        if self.trace.core_source is CoreSource.NONE:
            ready += sum(t.ns(*WORKING) - self.cpu_of(t) for t in self.trace.threads)
        return ready

    @cached_property
    def availability(self) -> float:
        """The share of the time wanted on a core that was had."""
        return availability(self.cpu_ns, self.ready_ns)

    @cached_property
    def workers(self) -> tuple[Thread, ...]:
        """Threads that did, or wanted to do, a part of the work worth naming."""
        least = _WORKER_SHARE * self.wall_ns
        return tuple(
            one
            for one in self.trace.threads
            if one.ns(*WORKING, State.RUNNABLE, State.GIL_WAIT) > least
        )

    def select(self, state: State, *reasons: Reason) -> NDArray[np.bool_]:
        """Select the spans in a state, or those of it with one of some reasons."""
        found = self.trace.spans.in_state(state)
        if reasons:
            found &= np.isin(self.trace.spans.reason, [one.code for one in reasons])
        return found

    def wakers(self, spans: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the rows of the threads that ended some waits, -1 where that is not known."""
        found = self.trace.spans
        return self.trace.rows_of(found.waker[spans], found.end_ns[spans])

    def mask(self, spans: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Turn rows of spans into a selection of them."""
        found = np.zeros(len(self.trace.spans), bool)
        found[spans] = True
        return found

    def mask_of(self, rows: Sequence[int], *states: State) -> NDArray[np.bool_]:
        """Select the spans of some threads in some states."""
        found: NDArray[np.bool_] = self.trace.spans.in_state(*states)
        found &= np.isin(self.trace.span_threads, rows)
        return found

    def ns(self, state: State, *reasons: Reason) -> int:
        """Add up the spans in a state, or those of it with one of some reasons."""
        return int(self.trace.spans.dur_ns[self.select(state, *reasons)].sum())

    def where(self, spans: Selection, kept: int = _PLACES_NAMED) -> tuple[str, ...]:
        """Name the places in which some spans passed, those that took longest first."""
        found, many = self.trace.spans, len(self.trace.stacks.parent)
        lasted = found.end_ns[spans] - found.start_ns[spans]
        times = np.bincount(found.stack[spans], lasted, many)
        stacks = np.flatnonzero(times)
        return self._ranked(stacks.tolist(), times[stacks].tolist(), kept)

    def sampled(self, rows: Sequence[int] = (), kept: int = _PLACES_NAMED) -> tuple[str, ...]:
        """Name the places where running threads were seen most; of some threads, or of all.

        Without samples, those in which they last gave up the GIL or waited for it.
        """
        samples, trace = self.trace.samples, self.trace
        if samples is not None and len(samples):
            tids = [trace.threads[row].tid for row in rows]
            part = samples.take(np.isin(samples.tid, tids)) if rows else samples
            stacks, counts = np.unique(part.stack, return_counts=True)
            found = self._ranked(stacks.tolist(), counts.tolist(), kept)
            if found:
                return found
        mask = trace.spans.in_state(*WORKING, State.GIL_WAIT)
        if rows:
            mask &= np.isin(trace.span_threads, rows)
        return self.where(mask, kept) or self._hottest(kept)

    def _hottest(self, kept: int) -> tuple[str, ...]:
        """Name the hottest lines or functions that other passes counted."""
        profile = self.recording.lines
        lines = [row for table in profile.tables for row in table.lines] if profile else []
        ranked = sorted(lines, key=lambda one: -one.time_ns)[:kept]
        return tuple(f"{one.file}:{one.line} in {one.function}" for one in ranked)

    def _ranked(self, stacks: list[int], weights: list[float], kept: int) -> tuple[str, ...]:
        sums: dict[str, float] = {}
        for stack, weight in zip(stacks, weights, strict=True):
            place = self.places.of(stack)
            if place is not None and not _TOOL.search(place):
                sums[place] = sums.get(place, 0) + weight
        ranked = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
        return tuple(place for place, _ in ranked[:kept])

    def window(self, spans: NDArray[np.bool_]) -> tuple[int, int] | None:
        """Return from when to when some spans lasted, counted from the start of the run."""
        if not spans.any():
            return None
        zero, found = self.whole.start_ns, self.trace.spans
        return int(found.start_ns[spans].min()) - zero, int(found.end_ns[spans].max()) - zero

    def rows(self, threads: Sequence[Thread]) -> list[int]:
        """Return the rows of threads."""
        wanted = {id(one) for one in threads}
        return [row for row, one in enumerate(self.trace.threads) if id(one) in wanted]
