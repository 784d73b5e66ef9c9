"""Functions: the hottest ones over all threads, and of each thread by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from concurtrace.model.recording import Function, FunctionProfile, FunctionTable
from concurtrace.model.report import HotFunction, Report
from concurtrace.units import count_text, share_text, time_text

from ..._facts import function_time_ns
from ..._places import Places, name_of
from ..._scale import Scale
from ..._text import shorten
from ..._words import absence
from ..section import Section
from . import source
from ._labels import thread_labels

_NAME_LIMIT = 160
_DECORATORS = 3
"""Lines of decorators above a ``def``; more are no decorators of the same function."""
_TABLES = 64
_ROWS = 60
"""How many threads, and functions of each, the page holds; the JSON report's tables have all."""


@dataclass(frozen=True)
class Row:
    """A function as texts with the numbers to sort by; ``bar`` in percent of the hottest.

    ``href`` shows its lines, "" where the page does not have them.
    """

    name: str
    place: str
    href: str
    origin: str
    calls: str
    own: str
    share: str
    total: str
    bar: int
    seen: str
    keys: tuple[int, int, int]


@dataclass(frozen=True)
class View:
    """The table over all threads, and the threads that can be chosen instead."""

    unit: str
    rows: tuple[Row, ...]
    threads: tuple[str, ...]
    note: str


def build(report: Report) -> Section:
    """Show the hottest functions."""
    profile = report.recording.functions
    if profile is None or not report.hot.functions:
        return Section(
            "functions", "Functions", absence=absence(report, "Functions were", "functions")
        )
    whole = function_time_ns(report)
    places = Places.of(report)
    hot = report.hot.functions
    scale = Scale.for_times(one.total_ns for one in hot)
    tables = _biggest(profile)
    left_out = len(profile.tables) - len(tables)
    shown = source.functions(source.build(report))
    view = View(
        scale.unit,
        tuple(_row(one, places, scale, whole, hot[0].own_ns, shown) for one in hot),
        thread_labels((one.process, one.thread) for one in tables),
        f"Of {len(profile.tables)} threads, the {len(tables)} with most time can be chosen."
        if left_out
        else "",
    )
    return Section(
        "functions",
        "Functions",
        _answer(hot[0], profile, whole),
        view,
        data={"functions": _data(tables, places)},
    )


def _answer(hottest: HotFunction, profile: FunctionProfile, whole: int) -> str:
    threads = len(profile.tables)
    where = "the one thread" if threads == 1 else f"{threads} threads"
    share = share_text(hottest.own_ns / whole) if whole else "0 %"
    name = shorten(name_of(hottest.function), 80)
    return f"{name} took most: {share} of the {time_text(whole)} that {where} spent in functions."


def _href(function: Function, shown: Mapping[Function, str]) -> str:
    """Lead to a function's lines: a decorated one begins above its ``def``."""
    name = function.name.rpartition(".")[2]
    lines = range(function.line, function.line + _DECORATORS + 1)
    starts = (Function(function.file, line, name) for line in lines)
    return next((shown[one] for one in starts if one in shown), "")


def _row(
    one: HotFunction,
    places: Places,
    scale: Scale,
    whole: int,
    most: int,
    shown: Mapping[Function, str],
) -> Row:
    processes = "1 process" if one.processes == 1 else f"{one.processes} processes"
    threads = "1 thread" if one.threads == 1 else f"{one.threads} threads"
    return Row(
        name=shorten(name_of(one.function), _NAME_LIMIT),
        place=places.function(one.function),
        href=_href(one.function, shown),
        origin=places.origin(one.function).value,
        calls=count_text(one.calls),
        own=scale.text(one.own_ns),
        share=share_text(one.own_ns / whole) if whole else "not known",
        total=scale.text(one.total_ns),
        bar=round(100 * one.own_ns / most) if most else 0,
        seen=threads if one.processes == 1 else f"{threads} in {processes}",
        keys=(one.calls, one.own_ns, one.total_ns),
    )


def _biggest(profile: FunctionProfile) -> list[FunctionTable]:
    def time_ns(table: FunctionTable) -> int:
        return sum(row.own_ns for row in table.stats)

    return sorted(profile.tables, key=time_ns, reverse=True)[:_TABLES]


def _data(tables: list[FunctionTable], places: Places) -> dict[str, Any]:
    """Lay the threads' own tables out for the script: names once, rows of numbers."""
    numbers: dict[tuple[str, str, str], int] = {}
    rows = []
    for table in tables:
        hottest = sorted(table.stats, key=lambda row: -row.own_ns)[:_ROWS]
        rows.append(
            {
                "whole": sum(row.own_ns for row in table.stats),
                "functions": len(table.stats),
                "rows": [
                    [
                        numbers.setdefault(
                            (
                                shorten(name_of(row.function), _NAME_LIMIT),
                                places.function(row.function),
                                places.origin(row.function).value,
                            ),
                            len(numbers),
                        ),
                        row.calls,
                        row.own_ns,
                        row.total_ns,
                    ]
                    for row in hottest
                ],
            }
        )
    return {"functions": list(numbers), "threads": rows}
