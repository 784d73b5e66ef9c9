"""Files for other tools: what else the run left, and how it is opened."""

import shlex
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
class Format:
    """A format that the run can be written in: what it shows, how to get it, how to open it."""

    name: str
    what: str
    command: str
    how: str


@dataclass(frozen=True)
class View:
    """The files, where they are, what the timeline trace holds, and formats to be had."""

    folder: str
    rows: tuple[Row, ...]
    trace: str
    formats: tuple[Format, ...]


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
    formats = _formats(report)
    if not rows and not formats:
        missing = absence(report, "A trace for other tools was", "timeline")
        return Section("artifacts", "Files for other tools", absence=missing)
    many = "One file" if len(rows) == 1 else f"{len(rows)} files" if rows else "No file"
    written = f", and {len(formats)} more can be written" if formats else ""
    return Section(
        "artifacts",
        "Files for other tools",
        f"{many} of this run can be opened with other tools{written}; nothing is sent anywhere.",
        View(without_home(report.run_path), rows, _trace(report), formats),
    )


def _formats(report: Report) -> tuple[Format, ...]:
    """List the formats that there is something to write in."""
    found = []
    run = shlex.quote(report.run)
    if report.states is not None:
        found.append(
            Format(
                "Perfetto trace",
                "threads with their states, the GIL, locks with who ended which wait, counters",
                f"concurtrace show {run} --format perfetto -o run.perfetto-trace",
                "drop the file into ui.perfetto.dev: it is read by your browser, not uploaded",
            )
        )
    if report.states is not None or report.recording.timeline is not None:
        found.append(
            Format(
                "speedscope profile",
                "where every thread ran and waited, as flame graphs by thread",
                f"concurtrace show {run} --format speedscope -o run.speedscope.json",
                "drop the file into speedscope.app, or: npx speedscope run.speedscope.json",
            )
        )
    return tuple(found)


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
