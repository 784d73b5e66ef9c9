"""A difference on the terminal: the verdict, then what changed, most first."""

import textwrap
from collections.abc import Sequence

from concurtrace.model.difference import Change, Difference, Unit
from concurtrace.model.report import Finding
from concurtrace.units import count_text, significant, size_text, time_text

from .._text import printable, shorten, without_home

COLUMNS = 100
_NAME = 48


class Terminal:
    """Plain text of at most 100 columns, without colour."""

    name = "terminal"
    suffix = ".txt"

    def render(self, difference: Difference) -> str:
        """Sum a difference up."""
        one = difference
        blocks = (
            _wrapped(one.verdict, ""),
            _listed("Not the same circumstances", one.conditions),
            _table("Figures", one.figures),
            _listed("New findings", [_finding(each) for each in one.new]),
            _listed("Findings that are gone", [_finding(each) for each in one.gone]),
            _listed("Findings that stayed", [", ".join(one.kept)] if one.kept else []),
            _table("Time over all threads by state", one.states),
            _table("Own time of functions", one.functions),
            _table("Time waited for locks", one.locks),
        )
        return "\n\n".join("\n".join(map(printable, block)) for block in blocks if block)


def _table(title: str, changes: Sequence[Change]) -> list[str]:
    if not changes:
        return []
    head = f"{title:<{_NAME}}{'before':>14}{'after':>14}{'change':>14}"
    return [head, *(_change(one) for one in changes)]


def _change(one: Change) -> str:
    name = shorten(printable(without_home(one.name)), _NAME - 1)
    before, after = _value(one.before, one.unit), _value(one.after, one.unit)
    change = "new" if not one.before else "gone" if not one.after else _factor(one)
    return f"{name:<{_NAME}}{before:>14}{after:>14}{change:>14}"


def _factor(one: Change) -> str:
    return f"x {significant((one.after or 0) / (one.before or 1))}"


def _value(value: int | None, unit: Unit) -> str:
    if value is None:
        return "-"
    match unit:
        case Unit.NS:
            return time_text(value)
        case Unit.BYTES:
            return size_text(value)
        case Unit.COUNT:
            return count_text(value)


def _finding(one: Finding) -> str:
    return f"{one.severity.value} {one.rule}: {without_home(one.summary)}"


def _listed(title: str, texts: Sequence[str]) -> list[str]:
    if not texts:
        return []
    return [title, *(line for one in texts for line in _wrapped(one, "  - "))]


def _wrapped(text: str, start: str) -> list[str]:
    indent = " " * len(start)
    return textwrap.wrap(printable(text), COLUMNS, initial_indent=start, subsequent_indent=indent)


RENDERER = Terminal()
