"""Predictions of a comparison: what replay foretold, beside what was then measured."""

from dataclasses import dataclass

from concurtrace.model.comparison import Checked, Comparison
from concurtrace.units import share_text, significant

from ..._comparisons._words import change, interval
from ..section import Section


@dataclass(frozen=True)
class Row:
    """A prediction as texts."""

    change: str
    predicted: str
    range: str
    measured: str
    measured_interval: str
    error: str
    model: str
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """The rows."""

    rows: tuple[Row, ...]


def build(comparison: Comparison) -> Section | None:
    """List every prediction that another mode put to the test; None where there is none."""
    found = comparison.predictions
    if not found:
        return None
    worst = max(abs(one.error) for one in found)
    outside = [one for one in found if not one.low <= one.measured.factor <= one.high]
    noisy = sum(_noise_explains(one) for one in outside)
    answer = (
        f"{len(found) - len(outside)} of {len(found)} predictions hold what was measured within"
        f" their range{f', {noisy} more are within its noise' if noisy else ''};"
        f" the worst is {share_text(worst)} off."
    )
    return Section("foretold", "Predictions put to the test", answer, View(tuple(map(_row, found))))


def _noise_explains(one: Checked) -> bool:
    low, high = one.measured.low, one.measured.high
    return low is not None and high is not None and low <= one.predicted <= high


def _row(one: Checked) -> Row:
    return Row(
        change=change(one),
        predicted=f"{significant(one.predicted)} times",
        range=f"{significant(one.low)} to {significant(one.high)}",
        measured=f"{significant(one.measured.factor)} times",
        measured_interval=interval(one.measured),
        error=f"{one.error * 100:+.0f} %",
        model=f"{one.model_error * 100:+.1f} %",
        assumptions=one.assumptions,
    )
