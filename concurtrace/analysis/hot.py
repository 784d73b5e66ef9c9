"""The hottest functions and lines over all threads and processes."""

from collections import defaultdict
from collections.abc import Iterable

from concurtrace.model.recording import (
    Function,
    LineProfile,
    LineStats,
    MemoryLine,
    MemoryLines,
    ProcessKey,
    Recording,
    SourceFile,
)
from concurtrace.model.report import Hot, HotFunction, HotLine, HotMemoryLine

KEPT = 200
"""How many of each are kept: more than anyone reads, few enough for every format."""


def find_hot(recording: Recording) -> Hot:
    """Rank functions by own time, lines by time and lines by memory, most expensive first."""
    return Hot(
        functions=_functions(recording)[:KEPT],
        lines=_lines(recording.lines)[:KEPT] if recording.lines else (),
        memory_lines=_memory_lines(recording.memory_lines)[:KEPT] if recording.memory_lines else (),
    )


def _functions(recording: Recording) -> tuple[HotFunction, ...]:
    """Add up tables; a total over threads is thread time, which may exceed the wall time."""
    tables = recording.functions.tables if recording.functions else ()
    sums: dict[Function, list[int]] = defaultdict(lambda: [0, 0, 0])
    seen: dict[Function, set[tuple[ProcessKey, int]]] = defaultdict(set)
    for table in tables:
        for row in table.stats:
            entry = sums[row.function]
            entry[0] += row.calls
            entry[1] += row.own_ns
            entry[2] += row.total_ns
            seen[row.function].add((table.process, table.tid))
    hot = [
        HotFunction(
            function,
            calls,
            own_ns,
            total_ns,
            len({process for process, _ in seen[function]}),
            len(seen[function]),
        )
        for function, (calls, own_ns, total_ns) in sums.items()
    ]
    return tuple(sorted(hot, key=lambda one: (-one.own_ns, one.function.file, one.function.line)))


def _lines(profile: LineProfile) -> tuple[HotLine, ...]:
    text = _source_text(profile.sources)
    # A line may hold a comprehension too: its time is already in the line of the function around.
    groups: dict[tuple[str, int, str], list[LineStats]] = defaultdict(list)
    for table in profile.tables:
        for row in table.lines:
            groups[row.file, row.line, row.function].append(row)
    hot = [
        HotLine(
            file,
            line,
            function,
            sum(row.hits for row in rows),
            sum(row.time_ns for row in rows),
            len(rows),
            text.get((file, line), ""),
        )
        for (file, line, function), rows in groups.items()
    ]
    return tuple(sorted(hot, key=lambda one: (-one.time_ns, one.file, one.line)))


def _memory_lines(profile: MemoryLines) -> tuple[HotMemoryLine, ...]:
    text = _source_text(profile.sources)
    groups: dict[tuple[str, int, str], list[MemoryLine]] = defaultdict(list)
    for row in profile.lines:
        groups[row.file, row.line, row.function].append(row)
    hot = [
        HotMemoryLine(
            file,
            line,
            function,
            sum(row.increment_bytes for row in rows),
            max(row.peak_bytes for row in rows),
            len({row.process for row in rows}),
            text.get((file, line), ""),
        )
        for (file, line, function), rows in groups.items()
    ]
    return tuple(sorted(hot, key=lambda one: (-one.increment_bytes, one.file, one.line)))


def _source_text(sources: Iterable[SourceFile]) -> dict[tuple[str, int], str]:
    return {
        (source.file, number): line.strip()
        for source in sources
        for number, line in enumerate(source.lines, start=1)
    }
