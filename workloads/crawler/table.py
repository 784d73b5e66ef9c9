"""The CSV file that a crawl fills, one row per page."""

import csv
import io
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import Self

from concurtrace.workload import Record, Value

from .pages import Page

HEADER = ("path", "status", "title", "length", "words", "links")


class Table:
    """A CSV file without a name: nothing of it is left, however the program ends.

    Rows come in the order in which pages are done, so the order differs from run to run. Writing
    a row takes several steps: threads that share a table need a lock around ``write``.
    """

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile("w+", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(HEADER)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, page: Page) -> None:
        """Append the row of a page."""
        self._writer.writerow(_row(page))

    def write_in_halves(self, page: Page, between: Callable[[], None]) -> None:
        """Append the row of a page in two steps: what comes between them, comes into the row."""
        text = io.StringIO()
        csv.writer(text).writerow(_row(page))
        row = text.getvalue()
        self._file.write(row[: len(row) // 2])
        between()
        self._file.write(row[len(row) // 2 :])

    def read_back(self) -> list[Record]:
        """Read the rows from the file, so that what is checked is what was written."""
        self._file.seek(0)
        rows = csv.DictReader(self._file)
        return [tuple(_value(row[name]) for name in HEADER) for row in rows]


def _row(page: Page) -> tuple[Value, ...]:
    return (page.path, page.status, page.title, page.length, page.words, len(page.links))


def _value(field: str | None) -> Value | None:
    """Take a field for the number that it is, or, where it is none, as it stands."""
    return int(field) if field and field.isdecimal() else field
