"""Exceptions that nobody heard of, from the registry: see ``launch/unheard.py``."""

from collections.abc import Iterable
from typing import Any

from concurtrace.model.lost import LostException, LostIn
from concurtrace.model.recording import Function, ProcessKey
from concurtrace.model.spans import Frame


def lost_exceptions(process: ProcessKey, entries: Iterable[Any]) -> tuple[LostException, ...]:
    """Read what one process lost: an entry for the first of each kind, and counts at its end."""
    noted = [one for one in entries if "lost_kind" in one]
    counts = {one["lost_kind"]: one for one in noted if "lost_count" in one}
    found = []
    for one in noted:
        if "how" not in one:
            continue
        count = counts.get(one["lost_kind"], {})
        found.append(
            LostException(
                how=LostIn(one["how"]),
                process=process,
                time_ns=int(one["at_ns"]),
                who=str(one["who"]),
                text=str(one["text"]),
                frames=tuple(_frame(*frame) for frame in one["frames"]),
                lost=int(count.get("lost_count", 1)),
                heard=int(count.get("heard_count", 0)),
            )
        )
    return tuple(found)


def _frame(file: str, line: int, first_line: int, name: str) -> Frame:
    return Frame(Function(file, first_line, name), line)
