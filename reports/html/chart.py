"""Geometry of the charts that need no script: SVG paths in whole units of a fixed box.

A box is ``WIDTH`` wide and stretched to the page, so paths hold no text; words stand beside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from concurtrace.units import time_text

WIDTH = 1000
COLUMNS = 400
"""How many points a curve has at most: more than its pixels show apart on most screens."""
_TICKS = 4


class Path(str):
    """A drawing: numbers and letters of ours alone, so it is not shortened as a name would be."""

    __slots__ = ()


@dataclass(frozen=True)
class Span:
    """The stretch of time that a chart shows, in nanoseconds of the monotonic clock."""

    start_ns: int
    end_ns: int

    @classmethod
    def around(cls, times_ns: Iterable[int]) -> "Span":
        """Cover all these times; never empty."""
        times = list(times_ns)
        return cls(min(times), max(max(times), min(times) + 1))

    def x(self, time_ns: int) -> int:
        """Place a time in the box."""
        return round(WIDTH * (time_ns - self.start_ns) / (self.end_ns - self.start_ns))

    def ticks(self) -> tuple[str, ...]:
        """Label the axis at equal distances, from the start on."""
        length = self.end_ns - self.start_ns
        return ("0", *(time_text(length * number / _TICKS) for number in range(1, _TICKS + 1)))

    def since(self, time_ns: int) -> str:
        """Tell a time as its distance from the start."""
        return time_text(time_ns - self.start_ns)


def area(points: Sequence[tuple[int, float]], highest: float, height: int) -> Path:
    """Draw a filled area under points ``(x, value)`` joined by lines; empty without a point."""
    if not points:
        return Path()
    corners = [
        (x, height - round(height * value / highest) if highest else height) for x, value in points
    ]
    (first, _), (last, _) = corners[0], corners[-1]
    line = "L".join(f"{x} {y}" for x, y in corners)
    return Path(f"M{first} {height}L{line}L{last} {height}Z")


def steps(points: Sequence[tuple[int, float]], start: int) -> list[tuple[int, float]]:
    """Make steps of values that each hold from the point before (the first from ``start``)."""
    lefts = [start, *(x for x, _ in points)]
    return [
        (x, value)
        for left, (right, value) in zip(lefts, points, strict=False)
        for x in (left, right)
    ]


def thin(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Keep at most ``COLUMNS`` points: the highest of each stretch, so that no peak is lost."""
    if len(points) <= COLUMNS:
        return list(points)
    inner, kept = points[1:-1], COLUMNS - 2
    groups = (
        inner[len(inner) * number // kept : len(inner) * (number + 1) // kept]
        for number in range(kept)
    )
    highest = [max(group, key=lambda point: point[1]) for group in groups if group]
    return [points[0], *highest, points[-1]]


def cells(
    edges: Sequence[int], levels: Sequence[int], height: int, level_count: int
) -> tuple[Path, ...]:
    """Draw a row of cells: one path per level from 1 on; neighbours of a level are one cell."""
    paths: list[list[str]] = [[] for _ in range(level_count + 1)]
    start = 0
    for index in range(1, len(levels) + 1):
        if index == len(levels) or levels[index] != levels[start]:
            width = edges[index] - edges[start]
            if width > 0:
                paths[levels[start]].append(f"M{edges[start]} 0h{width}v{height}h-{width}z")
            start = index
    return tuple(Path("".join(path)) for path in paths[1:])
