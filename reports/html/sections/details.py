"""Run details: how to do it again, the versions, and what this file holds about its maker."""

from dataclasses import dataclass

from concurtrace.model.masking import mask_arguments
from concurtrace.model.report import Report
from concurtrace.units import time_text

from ..._text import shorten, told, without_home
from ..._words import command_line
from ..section import Section

_LIMIT = 1_000


@dataclass(frozen=True)
class View:
    """Rows of a name and a text; ``observed`` are numbers that the target told of itself."""

    command: str
    rows: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    observed: tuple[tuple[str, str], ...]
    source: str


def build(report: Report) -> Section:
    """Give the details."""
    return Section(
        "details",
        "Run details",
        f"Recorded with concurtrace {report.environment.concurtrace} on {report.started_at}.",
        View(
            shorten(command_line(report.target), _LIMIT),
            _rows(report),
            tuple(report.environment.packages.items()),
            _observed(report),
            _source(report),
        ),
    )


def _rows(report: Report) -> tuple[tuple[str, str], ...]:
    target, outcome = report.target, report.outcome
    rows = [("run", report.run), ("run directory", without_home(report.run_path))]
    if target.argv:
        shown = " ".join(mask_arguments(target.argv))
        rows.append(("arguments", shorten(without_home(shown), _LIMIT)))
    if outcome.exit_code is not None:
        rows.append(("exit code", str(outcome.exit_code)))
    if outcome.signal is not None:
        rows.append(("ended by signal", str(outcome.signal)))
    if outcome.error is not None:
        rows.append(("error", shorten(told(outcome.error), _LIMIT)))
    if outcome.checksum is not None:
        rows.append(("checksum", outcome.checksum))
    if outcome.expected_checksum is not None:
        rows.append(("expected checksum", outcome.expected_checksum))
    interval = time_text(report.environment.switch_interval_ns)
    rows.append(("GIL switch interval", interval if report.environment.gil else "no GIL"))
    return tuple(rows)


def _observed(report: Report) -> tuple[tuple[str, str], ...]:
    run = report.measured
    values = run.observed if run is not None else {}
    return tuple((name, str(value)) for name, value in values.items())


def _source(report: Report) -> str:
    """Say how much source text is in this file: it may be mailed on."""
    recording = report.recording
    files = {
        source.file
        for part in (recording.lines, recording.memory_lines)
        if part is not None
        for source in part.sources
    }
    many = "one file" if len(files) == 1 else f"{len(files)} files"
    return f"Source lines of watched functions, from {many}." if files else "No source lines."
