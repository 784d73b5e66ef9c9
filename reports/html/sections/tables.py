"""Other recordings: tables of instruments whose data fit no other section."""

from dataclasses import dataclass

from concurtrace.model.recording import Cell, Table
from concurtrace.model.report import Report
from concurtrace.units import count_text, significant

from ..._text import shorten
from ..section import Section

_ROWS = 500
_CELL_LIMIT = 300


@dataclass(frozen=True)
class Grid:
    """A table as texts; ``numeric`` says for each column whether it is set as numbers."""

    title: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def build(report: Report) -> Section | None:
    """Show the tables, if there are any."""
    tables = report.recording.tables
    if not tables:
        return None
    many = "One more table was" if len(tables) == 1 else f"{len(tables)} more tables were"
    return Section(
        "tables", "Other recordings", f"{many} recorded.", tuple(_grid(one) for one in tables)
    )


def _grid(table: Table) -> Grid:
    numeric = tuple(
        all(isinstance(row[index], int | float | None) for row in table.rows)
        for index in range(len(table.columns))
    )
    left_out = len(table.rows) - _ROWS
    cut = f" The first {_ROWS} of {len(table.rows)} rows are shown." if left_out > 0 else ""
    return Grid(
        table.title,
        table.columns,
        numeric,
        tuple(tuple(map(_cell, row)) for row in table.rows[:_ROWS]),
        table.note + cut,
    )


def _cell(cell: Cell) -> str:
    match cell:
        case None:
            return "not recorded"
        case int():
            return count_text(cell)
        case float():
            return significant(cell)
        case _:
            return shorten(cell, _CELL_LIMIT)
