"""The wait states as a trace for ui.perfetto.dev, in its native format: every nanosecond of it.

Threads with their states, the GIL with its holders, cores, the critical path, locks, tasks with
what they awaited, event loops with the steps they ran, flows from who ended a wait to who waited,
and counters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from concurtrace.model.report import Report
from concurtrace.model.spans import Times
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import Trace

from ._perfetto_stream import Stream
from ._places import Places
from ._states import words_of
from ._text import printable
from ._threads import process_name
from ._words import absence, subject
from .html.lanes import REASONS, Extra, Lane, LaneKind, lay_out
from .html.naming import (
    EXTRAS,
    frame_text,
    lane_names,
    object_text,
    reason_word,
    step_name,
)
from .html.task_lanes import Drawn, thing_text, with_tasks

_ALL = 1 << 62
_LOCKS = 50
_WITH_FLOWS = (State.LOCK_WAIT, State.CONDITION_WAIT, State.CHILD_WAIT, State.IO_WAIT)
_SILENT = (Extra.GIL_FREE, Extra.CORE_OTHER, Extra.NOT_KNOWN)
_COUNTED = (
    ("threads running", (State.RUNNING, State.RUNNING_NOGIL, State.GIL_BLOCKED)),
    ("threads waiting for the GIL", (State.GIL_WAIT,)),
    ("threads waiting for a lock", (State.LOCK_WAIT,)),
    ("threads ready without a core", (State.RUNNABLE,)),
)


class Perfetto:
    """Bytes in Perfetto's native format; times count from the start of the run."""

    name = "perfetto"
    suffix = ".perfetto-trace"

    def render(self, report: Report) -> bytes:
        """Write the trace; of a run without states, why there is nothing to see."""
        stream = Stream()
        trace = report.recording.trace
        if report.states is None or trace is None or not trace.threads:
            missing = absence(report, "What threads did when was", "states")
            track = stream.track(printable(subject(report.target)))
            stream.mark(track, 0, f"{missing.why} {missing.advice} {missing.command}")
            return stream.file()
        layout = lay_out(trace, _ALL, report.path, tick_ns=1)
        drawn = with_tasks(layout, trace, report.recording.tasks, _TASKS)
        _Writer(report, trace, drawn, stream, Places.of(report)).write()
        return stream.file()


@dataclass(frozen=True)
class _Writer:
    """What everything is written with."""

    report: Report
    trace: Trace
    drawn: Drawn
    stream: Stream
    places: Places

    def write(self) -> None:
        """Write tracks first, then what happened on them."""
        grouped = lane_names(self.report, self.drawn.layout)
        tracks, names = self._tracks(grouped), [name for _, name in grouped]
        flows = iter(range(1, _ALL))
        for number, lane in enumerate(self.drawn.layout.lanes):
            self._lane(lane, number, tracks, names, flows)
        spans = self.trace.spans
        for name, states in _COUNTED:
            chosen = spans.in_state(*states)
            self._counter(name, 0, spans.start_ns[chosen], spans.end_ns[chosen])
        self._locks()
        self._loops()

    def _tracks(self, names: Sequence[tuple[str, str]]) -> list[int]:
        """Describe all tracks; return that of every lane."""
        stream, states = self.stream, self.report.states
        of = states.processes if states is not None else ()
        processes = [
            stream.process(one.pid, process_name(shown))
            for one, shown in zip(self.trace.processes, of, strict=True)
        ]
        heads: dict[str, int] = {}
        found = []
        for lane, (group, name) in zip(self.drawn.layout.lanes, names, strict=True):
            above = processes[lane.process]
            match lane.kind:
                case LaneKind.THREAD:
                    pid, tid = (
                        self.trace.processes[lane.process].pid,
                        self.trace.threads[lane.row].tid,
                    )
                    found.append(stream.thread(pid, tid, name, above))
                case LaneKind.GIL | LaneKind.PROGRAM:
                    found.append(stream.track(name, above))
                case _:
                    if group not in heads:
                        heads[group] = stream.track(group)
                    found.append(stream.track(name, heads[group]))
        return found

    def _lane(
        self, lane: Lane, at: int, tracks: list[int], names: list[str], flows: Iterator[int]
    ) -> None:
        """Write the intervals of a lane as slices."""
        stream, track, given = self.stream, tracks[at], lane.intervals
        ends = lane.start + np.cumsum(given.dur)
        columns = (ends - given.dur, ends, given.kind, given.what, given.who, given.on)
        flow = 0
        for start, end, kind, what, who, on in zip(*(one.tolist() for one in columns), strict=True):
            code = kind // REASONS
            if code in _SILENT:
                continue
            named = lane.kind in (LaneKind.GIL, LaneKind.CORE) and who
            name = names[who - 1] if named else self._kind(kind)
            stream.begin(track, start, name, self._notes(lane, what, who, on, names), flow)
            stream.end(track, end)
            flow = 0
            if who and lane.kind in (LaneKind.THREAD, LaneKind.TASK) and code in _FLOWING:
                flow = next(flows)
                stream.mark(tracks[who - 1], end, f"ends the wait of {names[at]}", flow)

    def _kind(self, kind: int) -> str:
        """Name a state and its reason."""
        code, reason = kind // REASONS, reason_word(kind % REASONS)
        if code >= len(STATES):
            return _EXTRA_NAMES[code]
        name = words_of(STATES[code], gil=self.report.environment.gil).name
        return f"{name} ({reason})" if reason else name

    def _notes(
        self, lane: Lane, what: int, who: int, on: int, names: list[str]
    ) -> Iterator[tuple[str, str]]:
        """Say where a thread stood, what it waited for, and who ended that."""
        if what:
            frames = self.drawn.stacks.frames(what)
            yield "stack", " < ".join(frame_text(one, self.places) for one in frames[:_FRAMES])
        if on:
            yield "for", thing_text(self.trace, self.drawn, on, self.places)
        if who and lane.kind in (LaneKind.THREAD, LaneKind.TASK, LaneKind.PATH):
            yield ("thread" if lane.kind is LaneKind.PATH else "ended by"), names[who - 1]

    def _counter(self, name: str, parent: int, starts: Times, ends: Times) -> None:
        """Write how many of some stretches there are at a time."""
        track = self.stream.counter(name, "threads", parent)
        times, inverse = np.unique(np.concatenate((starts, ends)), return_inverse=True)
        steps = np.repeat((1, -1), len(starts))
        values = np.cumsum(np.bincount(inverse, steps, len(times))).astype(int)
        self.stream.count(track, 0, 0)
        changed = np.diff(values, prepend=0) != 0
        pairs = zip(times[changed].tolist(), values[changed].tolist(), strict=True)
        for time_ns, value in pairs:
            self.stream.count(track, max(0, time_ns - self.trace.start_ns), value)

    def _locks(self) -> None:
        """Write how many threads waited for each of the locks that cost most."""
        spans = self.trace.spans
        waits = spans.in_state(State.LOCK_WAIT) & (spans.object != 0)
        sums = np.bincount(spans.object[waits], spans.dur_ns[waits], len(self.trace.objects))
        chosen = [row for row in np.argsort(-sums, kind="stable")[:_LOCKS].tolist() if sums[row]]
        if not chosen:
            return
        above = self.stream.track("Locks: threads that wait")
        for row in chosen:
            mine = waits & (spans.object == row)
            name = object_text(self.trace, self.trace.objects[row], self.places)
            self._counter(name, above, spans.start_ns[mine], spans.end_ns[mine])

    def _loops(self) -> None:
        """Write what every event loop ran, step by step; steps in a step stand below it."""
        tasks = self.report.recording.tasks
        if tasks is None or not len(tasks.steps):
            return
        above, steps = self.stream.track("Event loops"), tasks.steps
        for number, loop in enumerate(tasks.loops):
            name = f"{loop.name.rpartition('.')[2]} in thread {loop.tid}"
            track = self.stream.track(printable(name), above)
            mine = np.flatnonzero(steps.loop == number)
            opened: list[int] = []
            for step in mine[np.argsort(steps.start_ns[mine], kind="stable")].tolist():
                start, end = int(steps.start_ns[step]), int(steps.end_ns[step])
                while opened and opened[-1] <= start:
                    self._end(track, opened.pop())
                self._begin(track, start, step_name(tasks, step))
                opened.append(min(end, opened[-1]) if opened else end)
            while opened:
                self._end(track, opened.pop())

    def _begin(self, track: int, time_ns: int, name: str) -> None:
        self.stream.begin(track, max(0, time_ns - self.trace.start_ns), name, ())

    def _end(self, track: int, time_ns: int) -> None:
        self.stream.end(track, max(0, time_ns - self.trace.start_ns))


_FRAMES = 12
_TASKS = 10_000
"""Tasks that get a track: those that lived longest."""
_FLOWING = {int(Extra.TASK_AWAITING), *(state.code for state in _WITH_FLOWS)}
_EXTRA_NAMES = {int(one): told[0] for one, told in EXTRAS.items()} | {
    int(Extra.GIL_HELD): "held",
    int(Extra.CORE_BUSY): "a program without Python",
}

RENDERER = Perfetto()
