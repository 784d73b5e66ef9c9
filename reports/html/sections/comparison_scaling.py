"""Scaling: what more workers brought, why not more, and what still more would bring."""

from dataclasses import dataclass

from concurtrace.model.comparison import Comparison, Foretold, Scaling, ScalingPoint
from concurtrace.units import share_text, significant, time_text

from ..._comparisons._words import interval, serial_text
from ..section import Section


@dataclass(frozen=True)
class Row:
    """A number of workers as texts; ``bar`` is its speed-up in percent of the highest."""

    workers: int
    wall: str
    speedup: str
    interval: str
    bar: int
    serial: str
    fitted: str


@dataclass(frozen=True)
class Told:
    """A mode: its measured points, what the law foretells, and its parameters."""

    mode: str
    rows: tuple[Row, ...]
    foretold: tuple[tuple[str, str], ...]
    law: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class View:
    """The modes whose workers were varied."""

    modes: tuple[Told, ...]


def build(comparison: Comparison) -> Section | None:
    """Show how every mode scales; None where the number of workers was not varied."""
    if not comparison.scaling:
        return None
    answer = " ".join(one.sentence for one in comparison.scaling)
    return Section("scaling", "Workers", answer, View(tuple(map(_told, comparison.scaling))))


def _told(one: Scaling) -> Told:
    highest = max(point.speedup.factor for point in one.points)
    law = [("serial part (Amdahl)", share_text(one.amdahl_serial))]
    if one.contention is not None and one.coherency is not None:
        law.append(("contention (universal law)", share_text(one.contention)))
        law.append(("coherency (universal law)", share_text(one.coherency)))
    return Told(
        one.mode,
        tuple(_row(point, highest) for point in one.points),
        tuple((_workers(each.workers), _times(each)) for each in one.foretold),
        tuple(law),
    )


def _workers(many: int) -> str:
    return "1 worker" if many == 1 else f"{many} workers"


def _times(one: Foretold) -> str:
    low, high = significant(one.low), significant(one.high)
    return f"{significant(one.speedup)} times ({low} to {high})"


def _row(one: ScalingPoint, highest: float) -> Row:
    fitted = "not tested"
    if one.fitted is not None and one.error is not None:
        fitted = f"{significant(one.fitted)} times ({one.error * 100:+.0f} %)"
    return Row(
        one.workers,
        time_text(one.wall_ns),
        f"{significant(one.speedup.factor)} times",
        interval(one.speedup),
        round(100 * one.speedup.factor / highest),
        "not defined" if one.serial is None else serial_text(one.serial),
        fitted,
    )
