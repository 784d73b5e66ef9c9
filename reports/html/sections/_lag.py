"""Event loops over time: how late they were, and how busy."""

from dataclasses import dataclass

import numpy as np

from concurtrace.model.report import Report
from concurtrace.model.tasks import Steps
from concurtrace.units import share_text, time_text

from ..._tasks import loop_name
from ..chart import WIDTH, Path, Span, area
from ..levels import density
from ..links import stretch

_HEIGHT = 40
_COLUMNS = 200
_LOOPS = 4


@dataclass(frozen=True)
class Strip:
    """One loop over time: the longest that anything was ready in each column, and its work."""

    loop: str
    late: Path
    latest: str
    link: str
    busy: Path
    mean: str


@dataclass(frozen=True)
class OverTime:
    """The loops on one axis; ``highest`` is where every strip of lateness ends."""

    strips: tuple[Strip, ...]
    highest: str
    ticks: tuple[str, ...]


def over_time(report: Report) -> OverTime | None:
    """Draw the loops with most steps; None where no step of any was kept singly."""
    tasks, trace = report.recording.tasks, report.recording.trace
    if tasks is None or report.tasks is None or not len(tasks.steps):
        return None
    span = Span.around(
        (trace.start_ns, trace.end_ns)
        if trace is not None
        else (at for one in tasks.loops for at in (one.start_ns, one.end_ns))
    )
    ranked = sorted(range(len(tasks.loops)), key=lambda row: -tasks.loops[row].steps)[:_LOOPS]
    drawn = [(row, tasks.steps.take(tasks.steps.loop == row)) for row in sorted(ranked)]
    drawn = [(row, steps) for row, steps in drawn if len(steps)]
    highest = max((int(steps.ready_ns.max()) for _, steps in drawn), default=0)
    strips = tuple(
        _strip(loop_name(report.tasks.loops[row]), steps, span, max(1, highest))
        for row, steps in drawn
    )
    return OverTime(strips, time_text(highest), span.ticks())


def _strip(name: str, steps: Steps, span: Span, highest: int) -> Strip:
    length, width = span.end_ns - span.start_ns, WIDTH / _COLUMNS
    columns = np.clip((steps.start_ns - span.start_ns) * _COLUMNS // length, 0, _COLUMNS - 1)
    late = np.zeros(_COLUMNS)
    np.maximum.at(late, columns, steps.ready_ns)
    busy = np.clip(
        density(steps.start_ns, steps.end_ns, span.start_ns, span.end_ns, _COLUMNS), 0, 1
    )
    places = [round((at + 0.5) * width) for at in range(_COLUMNS)]
    worst = int(np.argmax(steps.ready_ns))
    began = int(steps.start_ns[worst]) - span.start_ns
    waited = int(steps.ready_ns[worst])
    return Strip(
        name,
        area(list(zip(places, late.tolist(), strict=True)), highest, _HEIGHT),
        f"{time_text(waited)} at most, {time_text(began)} after the start",
        stretch(max(0, began - 2 * waited), began + waited),
        area(list(zip(places, busy.tolist(), strict=True)), 1, _HEIGHT),
        f"{share_text(float(busy.mean()))} of the run in steps that were kept",
    )
