"""Decode what the memory pass recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from concurtrace.instruments import _sampling
from concurtrace.instruments._files import decoding, read_each
from concurtrace.instruments._sampling import identify, read_samples
from concurtrace.instruments.memory import FORMAT, SUFFIX
from concurtrace.model.recording import (
    Loss,
    MemoryLine,
    MemoryLines,
    MemorySeries,
    MemoryUsage,
    ProcessKey,
    Recording,
    SourceFile,
)
from concurtrace.rundir.processes import RegisteredProcess, missing_files, read_processes
from concurtrace.units import size_text

if TYPE_CHECKING:
    from concurtrace.instruments._files import Document

Reading = tuple[int, int, int | None, int | None]
"""CLOCK_MONOTONIC nanoseconds, RSS, USS and PSS in bytes."""


@dataclass(frozen=True)
class _Place:
    """A line, or the first line of a function."""

    file: str
    line: int
    function: str


@dataclass(frozen=True)
class _Probed:
    """What the probe of one process wrote; of a line increment, highest reading and hits."""

    readings: tuple[tuple[int, int], ...]
    own_bytes: int
    replaced: bool
    budget: int
    lines: tuple[tuple[_Place, int, int, int], ...]
    exhausted: tuple[_Place, ...]
    sources: tuple[SourceFile, ...]
    losses: tuple[Loss, ...]


def read(out: Path) -> Recording:
    """Lay the samples and the probes' figures together; RunDataError if a file is damaged."""
    processes = list(read_processes(out.parent).values())
    probed = read_each(out, SUFFIX, FORMAT, _decode)
    if not processes and not list(out.glob(f"[!.]*{_sampling.SUFFIX}")):
        return Recording()
    lines = MemoryLines(
        lines=_add_up(probed),
        sources=tuple({one.file: one for _, data in probed for one in data.sources}.values()),
        losses=(
            *missing_files(out.parent, out, SUFFIX),
            *dict.fromkeys(loss for _, data in probed for loss in data.losses),
        ),
        notes=_notes([data for _, data in probed], processes),
    )
    return Recording(memory=_usage(out, processes, probed), memory_lines=lines)


def _decode(document: Document) -> _Probed:
    return _Probed(
        readings=tuple((int(at_ns), int(rss)) for at_ns, rss in document["readings"]),
        own_bytes=int(document["own_bytes"]),
        replaced=document["trace_function"] == "replaced",
        budget=int(document["line_budget"]),
        lines=tuple(
            (_Place(file, line, function), int(increment), int(peak), int(hits))
            for file, line, function, increment, peak, hits in document["lines"]
        ),
        exhausted=tuple(_Place(*place) for place in document["exhausted"]),
        sources=tuple(SourceFile(file, tuple(text)) for file, text in document["sources"].items()),
        losses=tuple(Loss(*loss) for loss in document["losses"]),
    )


def _add_up(probed: list[tuple[ProcessKey, _Probed]]) -> tuple[MemoryLine, ...]:
    """Add up the threads of each process."""
    found: list[MemoryLine] = []
    for key, data in probed:
        sums: dict[_Place, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
        for place, increment, peak, hits in data.lines:
            before = sums[place]
            sums[place] = before[0] + increment, max(before[1], peak), before[2] + hits
        found.extend(
            MemoryLine(key, place.file, place.line, place.function, hits, increment, peak)
            for place, (increment, peak, hits) in sorted(
                sums.items(), key=lambda one: (one[0].file, one[0].line, one[0].function)
            )
        )
    return tuple(found)


def _notes(probed: list[_Probed], processes: Iterable[RegisteredProcess]) -> tuple[str, ...]:
    notes = []
    if any(len(process.threads) > 1 for process in processes):
        notes.append(
            "Several threads ran in one process: an increment is the change of the whole process's"
            " memory while the line ran, whichever thread allocated."
        )
    left_alone = dict.fromkeys((one, data.budget) for data in probed for one in data.exhausted)
    notes.extend(
        f"{place.function} ({Path(place.file).name}:{place.line}) was measured for its first"
        f" {budget} lines in a process and then left alone, so that a hot loop ends: hits and"
        " increments are those of that beginning."
        for place, budget in left_alone
    )
    if any(data.replaced for data in probed):
        notes.append("The program set a trace function of its own: lines after that are missing.")
    own_bytes = max((data.own_bytes for data in probed), default=0)
    if own_bytes:
        notes.append(
            f"memory_profiler itself takes up to {size_text(own_bytes)} in each Python process of"
            " this pass; the series contain it."
        )
    return tuple(notes)


def _usage(
    out: Path, processes: list[RegisteredProcess], probed: list[tuple[ProcessKey, _Probed]]
) -> MemoryUsage:
    registered = [process.key for process in processes]
    readings: dict[ProcessKey, list[Reading]] = defaultdict(list)
    for path in sorted(out.glob(f"[!.]*{_sampling.SUFFIX}")):
        samples = read_samples(path)
        keys = identify(samples.processes, registered)
        with decoding(path):
            for line in samples.lines:
                for number, rss, uss, pss in line["memory"]:
                    readings[keys[number]].append((int(line["at_ns"]), int(rss), uss, pss))
    for key, data in probed:
        readings[key].extend((at_ns, rss, None, None) for at_ns, rss in data.readings)
    losses = tuple(
        Loss(f"memory of process {key.name} ({key.pid})", "it ended before it could be sampled")
        for key in registered
        if key not in readings
    )
    series = (_series(key, readings[key]) for key in sorted(readings, key=lambda k: k.start_ns))
    return MemoryUsage(tuple(series), _sampling.FINE.interval_ns, losses)


def _series(key: ProcessKey, readings: list[Reading]) -> MemorySeries:
    times, rss, uss, pss = zip(*sorted(readings, key=lambda one: one[0]), strict=True)
    return MemorySeries(key, times, rss, uss, pss)
