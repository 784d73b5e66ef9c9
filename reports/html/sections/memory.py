"""Memory: what each process and all of them together held over time."""

from dataclasses import dataclass
from typing import Any

from concurtrace.model.recording import MemorySeries, MemoryUsage
from concurtrace.model.report import Report
from concurtrace.units import count_text, size_text, time_text

from ..._scale import Scale
from ..._series import peak_memory, total_memory
from ..._words import absence
from ..chart import Path, Span, area, thin
from ..section import Section
from ._labels import process_label

_HEIGHT = 40
_DRAWN = 16
"""How many processes are drawn; all are in the table."""


@dataclass(frozen=True)
class Strip:
    """A curve on a row of its own; ``peak_x`` is where its peak is marked."""

    label: str
    path: Path
    peak_x: int
    peak: str


@dataclass(frozen=True)
class Row:
    """A process in the table."""

    label: str
    started_by: str
    start: str
    peak: str
    peak_at: str
    end: str
    private: str
    samples: str


@dataclass(frozen=True)
class View:
    """The strips on one time axis and one scale of size, and the table."""

    strips: tuple[Strip, ...]
    ticks: tuple[str, ...]
    highest: str
    unit: str
    rows: tuple[Row, ...]
    note: str
    interval: str


def build(report: Report) -> Section:
    """Show memory over time."""
    usage = report.recording.memory
    if usage is None or not any(one.times_ns for one in usage.series):
        return Section(
            "memory", "Memory", absence=absence(report, "Memory over time was", "memory")
        )
    sampled = [one for one in usage.series if one.times_ns]
    span = Span.around(at_ns for one in sampled for at_ns in one.times_ns)
    drawn = sorted(sampled, key=lambda one: -max(one.rss_bytes))[:_DRAWN]
    drawn.sort(key=lambda one: one.times_ns[0])
    together = total_memory(usage)
    curves = [
        (process_label(one.process), list(zip(one.times_ns, one.rss_bytes, strict=True)))
        for one in drawn
    ]
    if len(sampled) > 1:
        label = f"all processes ({together.measure})"
        curves.insert(0, (label, list(zip(together.times_ns, together.bytes, strict=True))))
    highest = max(value for _, curve in curves for _, value in curve)
    strips = tuple(_strip(label, curve, span, highest) for label, curve in curves)
    sizes = Scale.for_sizes(value for one in sampled for value in one.rss_bytes)
    left_out = len(sampled) - len(drawn)
    return Section(
        "memory",
        "Memory",
        _answer(usage, span),
        View(
            strips,
            span.ticks(),
            size_text(highest),
            sizes.unit,
            tuple(_row(one, span, sizes) for one in sampled),
            f"{left_out} smaller processes are in the table alone." if left_out else "",
            time_text(usage.interval_ns),
        ),
        data={"memory": _data(curves, span)},
    )


def _answer(usage: MemoryUsage, span: Span) -> str:
    peak = peak_memory(usage)
    if peak is None:
        return "No process lived long enough to be read."
    together = "one process" if peak.processes == 1 else f"{peak.processes} processes together"
    return (
        f"At most {size_text(peak.bytes)} ({peak.measure} of {together}),"
        f" {span.since(peak.at_ns)} after the first reading."
    )


def _strip(label: str, curve: list[tuple[int, int]], span: Span, highest: int) -> Strip:
    points = thin([(span.x(at_ns), value) for at_ns, value in curve])
    at_ns, most = max(curve, key=lambda point: point[1])
    peak = f"{size_text(most)} at {span.since(at_ns)}"
    return Strip(label, area(points, highest, _HEIGHT), span.x(at_ns), peak)


def _row(one: MemorySeries, span: Span, sizes: Scale) -> Row:
    most = max(one.rss_bytes)
    private = [value for value in one.uss_bytes if value is not None]
    return Row(
        label=process_label(one.process),
        started_by=one.process.started_by,
        start=sizes.text(one.rss_bytes[0]),
        peak=sizes.text(most),
        peak_at=span.since(one.times_ns[one.rss_bytes.index(most)]),
        end=sizes.text(one.rss_bytes[-1]),
        private=sizes.text(max(private)) if private else "not readable",
        samples=count_text(len(one.times_ns)),
    )


def _data(curves: list[tuple[str, list[tuple[int, int]]]], span: Span) -> dict[str, Any]:
    """Give the script what it needs to read values off: thinned points from the span's start."""
    return {
        "length": span.end_ns - span.start_ns,
        "curves": [
            [
                [at_ns - span.start_ns, value]
                for at_ns, value in thin([(at_ns, float(value)) for at_ns, value in curve])
            ]
            for _, curve in curves
        ],
        "kind": "size",
    }
