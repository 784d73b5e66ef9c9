"""Files for other tools: what else the run left, and how it is opened."""

from dataclasses import dataclass

from concurtrace.model.report import Report
from concurtrace.units import count_text, size_text

from ..._text import without_home
from ..._words import absence
from ..section import Section


@dataclass(frozen=True)
class Row:
    """A file."""

    name: str
    path: str
    size: str
    how: str


@dataclass(frozen=True)
class View:
    """The files, where they are, and what the timeline trace holds."""

    folder: str
    rows: tuple[Row, ...]
    trace: str


def build(report: Report) -> Section:
    """List the files that other tools open."""
    rows = tuple(
        Row(
            one.name,
            one.path,
            size_text(one.size_bytes),
            without_home(one.how_to_open),
        )
        for one in report.artifacts
    )
    if not rows:
        missing = absence(report, "A trace for other tools was", "timeline")
        return Section("artifacts", "Files for other tools", absence=missing)
    many = "One file" if len(rows) == 1 else f"{len(rows)} files"
    return Section(
        "artifacts",
        "Files for other tools",
        f"{many} of this run can be opened with other tools; nothing is sent anywhere.",
        View(without_home(report.run_path), rows, _trace(report)),
    )


def _trace(report: Report) -> str:
    timeline = report.recording.timeline
    if timeline is None:
        return ""
    kept = f"The timeline holds {count_text(timeline.events)} events"
    if not timeline.dropped:
        return f"{kept}; none was dropped."
    return (
        f"{kept}; {count_text(timeline.dropped)} more were dropped to keep within"
        f" {count_text(timeline.budget)}."
    )
