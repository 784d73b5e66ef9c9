"""A comparison on the terminal: the verdict, the modes, where time went, what was foretold."""

import textwrap
from collections.abc import Sequence

from concurtrace.model.comparison import Checked, Comparison, Foretold, ModeResult, Scaling, Spent
from concurtrace.units import share_text, significant

from .._findings import numbered
from .._scale import Scale
from .._text import printable, shorten, without_home
from ._words import COLUMN_WORDS, change, interval, ledger_rows, serial_text

COLUMNS = 100
_NAME = 22


class Terminal:
    """Plain text of at most 100 columns, without colour."""

    name = "terminal"
    suffix = ".txt"

    def render(self, comparison: Comparison) -> str:
        """Sum a comparison up."""
        blocks = (
            _wrapped(comparison.verdict, ""),
            _modes(comparison),
            _ledger(comparison.modes),
            _predictions(comparison.predictions),
            _scaling(comparison.scaling),
            _notes(comparison),
        )
        return "\n\n".join("\n".join(map(printable, block)) for block in blocks if block)


def _modes(comparison: Comparison) -> list[str]:
    scale = Scale.for_times(one.wall_ns for one in comparison.modes)
    title = (
        f"{comparison.workload}: {comparison.rounds} rounds, every mode on the same work;"
        f" times as fast as {comparison.reference}, with 95 % intervals"
    )
    head = f"{'mode':<{_NAME}}{'wall ' + scale.unit:>12}{'times':>8}   {'interval':<17}  result"
    return [*_wrapped(title, ""), head, *(_mode(one, scale) for one in comparison.modes)]


def _mode(one: ModeResult, scale: Scale) -> str:
    wall = scale.text(one.wall_ns) if one.walls_ns else "-"
    factor = significant(one.speedup.factor) if one.speedup else "-"
    result = "right" if one.trouble is None else shorten(without_home(one.trouble), 30)
    return (
        f"{shorten(one.name, _NAME - 1):<{_NAME}}{wall:>12}{factor:>8}"
        f"   {interval(one.speedup):<17}  {result}"
    )


def _ledger(modes: Sequence[ModeResult]) -> list[str]:
    posts, rows = ledger_rows(modes)
    if not rows:
        return []
    title = "Where the time of the cores went (an idle core by what threads waited for)"
    head = f"{'mode':<{_NAME}}" + "".join(f"{COLUMN_WORDS[post]:>9}" for post in posts)
    return [title, head, *(_ledger_row(one, posts) for one in rows)]


def _ledger_row(one: ModeResult, posts: Sequence[Spent]) -> str:
    if one.ledger is None:
        return ""
    whole = one.ledger.wall_ns * one.ledger.cores
    shares = (one.ledger.spent.get(post, 0) / whole for post in posts)
    cells = "".join(f"{share_text(share) if share else '-':>9}" for share in shares)
    return f"{shorten(one.name, _NAME - 1):<{_NAME}}{cells}"


def _predictions(found: Sequence[Checked]) -> list[str]:
    if not found:
        return []
    head = (
        f"{'prediction by replay':<34}{'predicted':>10}  {'range':<15}{'measured':>9}{'error':>8}"
        f"{'model':>8}  given"
    )
    marks, provided = numbered(one.assumptions for one in found)
    rows = [
        f"{shorten(change(one), 33):<34}{significant(one.predicted):>10}"
        f"  {f'{significant(one.low)} to {significant(one.high)}':<15}"
        f"{significant(one.measured.factor):>9}{_percent(one.error):>8}{_percent(one.model_error):>8}"
        f"  {mark}"
        for one, mark in zip(found, marks, strict=True)
    ]
    return [head, *rows, *_wrapped(f"given that {'; '.join(provided)}", "  ")]


def _percent(share: float) -> str:
    return f"{share * 100:+.0f} %"


def _scaling(found: Sequence[Scaling]) -> list[str]:
    lines = []
    for one in found:
        lines += _wrapped(one.sentence, "")
        for point in one.points:
            serial = law = ""
            if point.serial is not None:
                serial = f", serial {serial_text(point.serial)}"
            if point.fitted is not None and point.error is not None:
                law = f"; the law of the others says {significant(point.fitted)}"
                law += f" ({_percent(point.error)})"
            times = f"{significant(point.speedup.factor)} times"
            workers = "1 worker" if point.workers == 1 else f"{point.workers} workers"
            lines.append(f"  {workers}: {times}{serial}{law}")
        measured = {point.workers for point in one.points}
        ahead = [_foretold(each) for each in one.foretold if each.workers not in measured]
        if ahead:
            lines += _wrapped(f"  by the law: {'; '.join(ahead)}", "")
    return lines


def _foretold(one: Foretold) -> str:
    low, high = significant(one.low), significant(one.high)
    return f"{one.workers} workers {significant(one.speedup)} times ({low} to {high})"


def _notes(comparison: Comparison) -> list[str]:
    said = [f"Left out: {one}" for one in comparison.notes]
    if comparison.interrupted:
        said.insert(0, "The comparison was interrupted: rounds are missing.")
    return [line for one in said for line in _wrapped(one, "  - ")]


def _wrapped(text: str, start: str) -> list[str]:
    indent = " " * len(start)
    return textwrap.wrap(
        printable(without_home(text)), COLUMNS, initial_indent=start, subsequent_indent=indent
    )


RENDERER = Terminal()
