"""What changed between two runs: what renderers of differences are given."""

from dataclasses import dataclass
from enum import Enum

from concurtrace.model.comparison import Speed
from concurtrace.model.report import Finding


class Unit(Enum):
    """What the two values of a change count."""

    NS = "ns"
    BYTES = "bytes"
    COUNT = "count"


@dataclass(frozen=True)
class Change:
    """A figure of both runs; None where one of them lacks it."""

    name: str
    before: int | None
    after: int | None
    unit: Unit

    @property
    def more(self) -> int:
        """By how much it grew; negative where it shrank."""
        return (self.after or 0) - (self.before or 0)


@dataclass(frozen=True)
class Difference:
    """Two runs, told by what differs.

    ``conditions`` are the circumstances that differ, without which no figure may be compared
    blindly. ``speedup`` is how many times as fast the second run is; None where one of them has no
    undisturbed time. ``states`` is time over all threads by state, ``functions`` own time,
    ``locks`` time waited. Findings are warnings and hints; ``kept`` are rules that speak in both.
    """

    before: str
    after: str
    conditions: tuple[str, ...]
    speedup: Speed | None
    figures: tuple[Change, ...]
    states: tuple[Change, ...]
    functions: tuple[Change, ...]
    locks: tuple[Change, ...]
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    kept: tuple[str, ...]
    verdict: str
