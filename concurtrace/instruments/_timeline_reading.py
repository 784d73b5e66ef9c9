"""Lay the traces of all processes of a pass together into one file and its call trees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from concurtrace.instruments._call_trees import Nested, nest
from concurtrace.instruments._files import read_each
from concurtrace.instruments._timeline_summary import dump, fingerprint, load
from concurtrace.instruments._trace_file import Call, Trace, read_trace
from concurtrace.instruments.timeline import ABOUT_SUFFIX, FORMAT, TRACE_SUFFIX
from concurtrace.model.recording import Loss, Recording, Timeline
from concurtrace.rundir.atomic import write_atomically
from concurtrace.rundir.processes import FOLDER, RegisteredProcess, missing_files, read_processes
from concurtrace.units import count_text, time_text

if TYPE_CHECKING:
    from concurtrace.instruments._files import Document

FILE_NAME = "timeline.json"
SUMMARY_NAME = "timeline-summary.json"


@dataclass(frozen=True)
class _About:
    """What the probe wrote about its trace."""

    capacity: int
    shortest_ns: int
    untraced: tuple[str, ...]
    greenlets: bool
    package: str


@dataclass(frozen=True)
class _Traced:
    """One process: who it is, how it was traced, and what is in its trace."""

    process: RegisteredProcess
    about: _About
    trace: Trace
    nested: Nested

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{self.process.key.name} ({self.process.key.pid})"


def read(out: Path, budget: int) -> Recording:
    """Read all traces and merge them within the budget; RunDataError if one is damaged.

    What is made of them goes to the run's ``derived`` folder, and is made anew where it is missing
    or of other data.
    """
    if not read_processes(out.parent):
        return Recording()
    # out is <run>/raw/<pass>/<instrument>.
    derived = out.parents[2] / "derived"
    path, summary = derived / FILE_NAME, derived / SUMMARY_NAME
    origin = [budget, *fingerprint(out), *fingerprint(out.parent / FOLDER)]
    if path.exists():
        known = load(summary, str(path), origin)
        if known is not None:
            return Recording(timeline=known)
    traced = list(_traced(out))
    timeline, merged = _lay_together(
        traced, str(path), budget, missing_files(out.parent, out, ABOUT_SUFFIX)
    )
    derived.mkdir(exist_ok=True)
    write_atomically(path, merged)
    write_atomically(summary, dump(timeline, origin))
    return Recording(timeline=timeline)


def _lay_together(
    traced: list[_Traced], file: str, budget: int, missing: tuple[Loss, ...]
) -> tuple[Timeline, bytes]:
    longest_left_out_ns = _cut(traced, budget)
    total = sum(len(one.nested.calls) for one in traced)
    kept = sum(1 for one in traced for _ in _kept(one, longest_left_out_ns))
    shortest_ns = max((one.about.shortest_ns for one in traced), default=0)
    timeline = Timeline(
        file=file,
        events=kept,
        budget=budget,
        dropped=total - kept,
        min_duration_ns=max(shortest_ns, longest_left_out_ns + 1),
        trees=tuple(tree for one in traced for tree in one.nested.trees),
        losses=(*missing, *_losses(traced)),
        notes=tuple(_notes(traced, total - kept, longest_left_out_ns)),
    )
    return timeline, _merged(traced, longest_left_out_ns)


def _traced(out: Path) -> Iterator[_Traced]:
    processes = {one.key: (stem, one) for stem, one in read_processes(out.parent).items()}
    for key, about in read_each(out, ABOUT_SUFFIX, FORMAT, _decode):
        stem, process = processes[key]
        trace = read_trace(out / (stem + TRACE_SUFFIX))
        nested = nest(trace, key, process.threads, about.package, about.shortest_ns)
        yield _Traced(process, about, trace, nested)


def _decode(document: Document) -> _About:
    return _About(
        capacity=int(document["capacity"]),
        shortest_ns=int(document["shortest_ns"]),
        untraced=tuple(map(str, document["untraced"])),
        greenlets=bool(document["greenlets"]),
        package=str(document["package"]),
    )


def _cut(traced: list[_Traced], budget: int) -> int:
    """Return the length up to which calls must be left out to keep within the budget; or -1.

    The longest calls stay: whatever contains one of them is longer, and stays too.
    """
    durations = sorted(call.duration_ns for one in traced for call in one.nested.calls)
    return durations[-budget - 1] if len(durations) > budget else -1


def _kept(one: _Traced, longest_left_out_ns: int) -> Iterator[Call]:
    return (call for call in one.nested.calls if call.duration_ns > longest_left_out_ns)


def _merged(traced: list[_Traced], longest_left_out_ns: int) -> bytes:
    """Write Chrome's trace events: microseconds, names of processes and tracks as metadata."""
    lines = [line for one in traced for line in _events(one, longest_left_out_ns)]
    return (
        '{"traceEvents":[\n' + ",\n".join(lines) + '\n],"displayTimeUnit":"ns",'
        '"viztracer_metadata":{"overflow":false}}'
    ).encode()


def _events(one: _Traced, longest_left_out_ns: int) -> Iterator[str]:
    pid = one.process.key.pid
    yield _metadata("process_name", pid, pid, one.process.key.name)
    tracks = set()
    quoted: dict[str, str] = {}
    for track, start_ns, duration_ns, name in _kept(one, longest_left_out_ns):
        tracks.add(track)
        label = quoted.get(name) or quoted.setdefault(name, json.dumps(name))
        yield (
            f'{{"ph":"X","cat":"fee","pid":{pid},"tid":{track},"name":{label}'
            f',"ts":{_microseconds(start_ns)},"dur":{_microseconds(duration_ns)}}}'
        )
    names = {**one.trace.threads, **one.process.threads, **one.trace.tasks}
    for track in sorted(tracks):
        yield _metadata("thread_name", pid, track, names.get(track, f"thread {track}"))


def _microseconds(ns: int) -> str:
    return f"{ns // 1000}.{ns % 1000:03d}"


def _metadata(kind: str, pid: int, track: int, name: str) -> str:
    event = {"ph": "M", "pid": pid, "tid": track, "name": kind, "args": {"name": name}}
    return json.dumps(event, separators=(",", ":"))


def _losses(traced: Iterable[_Traced]) -> Iterator[Loss]:
    for one in traced:
        for thread in one.about.untraced:
            yield Loss(f"thread {thread} of {one.name}", "it was started before the work, untraced")
        if one.trace.overflow:
            yield Loss(
                f"the beginning of {one.name}",
                f"calls came faster than the {count_text(one.about.capacity)} that are kept",
            )
        if not one.trace.complete:
            yield Loss(
                f"the rest of {one.name}",
                "viztracer met a return that it could not pair with a call, and stopped",
            )


def _notes(traced: list[_Traced], dropped: int, longest_left_out_ns: int) -> Iterator[str]:
    if dropped:
        yield (
            f"The timeline holds the longest calls: {count_text(dropped)} of up to"
            f" {time_text(longest_left_out_ns)} were left out to keep within the event budget."
            " The flame graph counts them."
        )
    filtered = [one for one in traced if one.about.shortest_ns]
    if filtered:
        names = ", ".join(f"{one.name}: {time_text(one.about.shortest_ns)}" for one in filtered)
        yield (
            "Calls came too fast to record all of them, so from some moment on only longer ones"
            f" were recorded, finally those of at least the following length. {names}."
            " The flame graph counts only these; the functions pass counts every call."
        )
    if any(one.trace.tasks for one in traced):
        yield (
            "A coroutine is called anew each time it goes on after an await; the time between is"
            " not in its calls."
        )
    if any(one.about.greenlets for one in traced):
        yield (
            "The program imported greenlet: viztracer does not follow switches between greenlets,"
            " so calls are missing or at the wrong place where gevent runs."
        )
