"""A process's memory grows from the start of the run to its end and is never given back."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.recording import MemorySeries
from concurtrace.model.report import Severity
from concurtrace.units import size_text

PARTS = 5
"""The run is cut into this many parts; growth that lasts shows in each after the first, which holds
the start of the interpreter."""
GREW, GREW_BYTES = 0.5, 50 << 20
"""Growth by a half and by 50 MiB: less is what caches and the allocator take."""
LASTING = 0.6
"""Share of the process's life after which its memory is greatest: before, it was given back."""
FEWEST = 25
"""Samples: fewer can't show how memory grew."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the mean memory of the parts of every process's life."""
    series = case.recording.memory.series if case.recording.memory else ()
    grown = [(one, growth) for one in series if (growth := _growth(one)) is not None]
    if not grown:
        yield fine("No process's memory kept growing.")
        return
    one, (before, after) = max(grown, key=lambda pair: pair[1][1] - pair[1][0])
    lines = case.recording.memory_lines
    rows = sorted(lines.lines if lines else (), key=lambda row: -row.increment_bytes)[:3]
    yield Answer(
        Severity.WARNING,
        f"The memory of {one.process.name} grew from {size_text(before)} to {size_text(after)}"
        " and was never given back.",
        "It grew in every part of the run.",
        "Keep less: stream instead of collecting, bound queues and caches, drop references.",
        tuple(f"{row.file}:{row.line} in {row.function}" for row in rows),
        evidence={"before_bytes": before, "after_bytes": after},
        cause=Cause.CODE,
        thing="memory",
    )


def _growth(one: MemorySeries) -> tuple[int, int] | None:
    if len(one.rss_bytes) < FEWEST:
        return None
    memory = np.array(one.rss_bytes)
    # What the interpreter gives back as it ends, the program never gave back.
    peak = int(memory.argmax())
    if peak < LASTING * len(memory):
        return None
    parts = [float(part.mean()) for part in np.array_split(memory[: peak + 1], PARTS)][1:]
    steady = all(later > earlier for earlier, later in pairwise(parts))
    more = parts[-1] - parts[0]
    if steady and more > GREW * parts[0] and more > GREW_BYTES:
        return round(parts[0]), round(parts[-1])
    return None


RULE = Rule("memory-growth", frozenset({Part.MEMORY}), check)
