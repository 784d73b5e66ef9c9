"""Passes: what each cost against the undisturbed run, how it ended, what its numbers lack."""

from dataclasses import dataclass

from concurtrace.model.report import Report
from concurtrace.model.run import Pass, PassStatus
from concurtrace.units import share_text, significant

from ..._scale import Scale
from ..._text import shorten, told
from ..._words import Note, notes, spread
from ..section import Section

_SIGNS = {
    PassStatus.OK: "✔",
    PassStatus.PARTIAL: "▲",
    PassStatus.FAILED: "✖",
    PassStatus.SKIPPED: "○",
}
_REASON_LIMIT = 600
_NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Row:
    """A pass as texts; ``bar`` is its wall time in percent of the longest."""

    name: str
    instruments: str
    status: str
    sign: str
    wall: str
    cpu: str
    cost: str
    bar: int
    runs: str
    result: str
    load: str
    reason: str


@dataclass(frozen=True)
class View:
    """The rows with the unit of their times, and what there is to know about the numbers."""

    unit: str
    rows: tuple[Row, ...]
    notes: tuple[Note, ...]


def build(report: Report) -> Section:
    """List every pass that was planned, whatever became of it."""
    passes = report.passes
    scale = Scale.for_times(time for one in passes for time in (one.wall_ns, one.cpu_ns))
    longest = max((one.wall_ns for one in passes), default=0)
    view = View(scale.unit, tuple(_row(one, scale, longest) for one in passes), notes(report))
    return Section(
        "passes",
        "Passes and their cost",
        _answer(report),
        view,
    )


def _answer(report: Report) -> str:
    passes = report.passes
    good = sum(one.status is PassStatus.OK for one in passes)
    costs = [one.overhead for one in passes if one.overhead is not None and one.name != "baseline"]
    done = f"{good} of {len(passes)} passes are complete."
    if good == len(passes):
        done = "The one pass is complete." if good == 1 else f"All {good} passes are complete."
    if not costs:
        return f"{done} What watching cost is not known: there is no pass to compare."
    return f"{done} Watching made the target {significant(max(costs))} times as long at most."


def _row(one: Pass, scale: Scale, longest: int) -> Row:
    ended = any(run.ended_by_itself for run in one.executions)
    return Row(
        name=one.name,
        instruments=", ".join(one.instruments),
        status=one.status.value,
        sign=_SIGNS[one.status],
        wall=scale.text(one.wall_ns) if ended else _NOT_MEASURED,
        cpu=scale.text(one.cpu_ns) if ended else _NOT_MEASURED,
        cost=_cost(one, ended=ended),
        bar=round(100 * one.wall_ns / longest) if longest else 0,
        runs=spread(one) if ended else "none came to its end",
        result=_RESULTS[one.verified],
        load=_NOT_MEASURED if one.competing_load is None else share_text(one.competing_load),
        reason=shorten(told(one.reason or ""), _REASON_LIMIT),
    )


_RESULTS = {True: "✔ right", False: "✖ wrong", None: "not checked"}


def _cost(one: Pass, *, ended: bool) -> str:
    if one.name == "baseline" and ended:
        return "1"
    if one.overhead is None:
        return "not comparable"
    return f"{significant(one.overhead)} times"
