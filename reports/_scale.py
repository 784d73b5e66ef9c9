"""One unit per column, chosen by its largest value, so that rows compare at a glance."""

from collections.abc import Iterable
from dataclasses import dataclass

from concurtrace.units import NS_PER_MS, NS_PER_S, NS_PER_US, count_text

_TIMES = ((NS_PER_S, "s"), (NS_PER_MS, "ms"), (NS_PER_US, "µs"), (1, "ns"))
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


@dataclass(frozen=True)
class Scale:
    """A unit, its size in the base unit, and how many decimals every value is shown with."""

    unit: str
    size: int
    decimals: int

    @classmethod
    def for_times(cls, values_ns: Iterable[int]) -> "Scale":
        """Choose a unit of time; values in nanoseconds."""
        # The largest is ten units at least, so that the small ones keep some digits.
        return _choose(values_ns, _TIMES, 10)

    @classmethod
    def for_sizes(cls, values_bytes: Iterable[int]) -> "Scale":
        """Choose a unit of memory; values in bytes."""
        return _choose(values_bytes, _SIZES, 1)

    def text(self, value: float) -> str:
        """Format a value without the unit; one too small for the column is told to be so."""
        shown = value / self.size
        smallest = 10.0**-self.decimals
        if value and abs(shown) < smallest / 2:
            below = "< " if value > 0 else "> -"
            return f"{below}{smallest:.{self.decimals}f}"
        whole, dot, rest = f"{abs(shown):.{self.decimals}f}".partition(".")
        sign = "-" if value < 0 else ""
        return f"{sign}{count_text(int(whole))}{dot}{rest}"


def _choose(values: Iterable[int], steps: tuple[tuple[int, str], ...], least: int) -> Scale:
    largest = max((abs(value) for value in values), default=0)
    for size, unit in steps:
        if largest >= least * size:
            shown = largest / size
            decimals = 1 if shown >= 100 else 2
            return Scale(unit, size, 0 if size == 1 else decimals)
    return Scale(steps[-1][1], 1, 0)
