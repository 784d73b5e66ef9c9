"""A running target as lines of text: a table of threads for each process."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from concurtrace.analysis.live import ProcessView, ThreadView
from concurtrace.model.states import State
from concurtrace.units import count_text, share_text, time_text

_LEAST_SHARE = 0.005
_SHARES = 3
_COLOURS = {
    State.RUNNING: "green",
    State.RUNNING_NOGIL: "green",
    State.GIL_WAIT: "red",
    State.GIL_BLOCKED: "red",
    State.LOCK_WAIT: "red",
    State.RUNNABLE: "yellow",
}
_HEADER = ("thread", "now", "for", "where it was seen last", "lately")
_GAP = 2


def describe(processes: Sequence[ProcessView], *, colours: bool) -> list[str]:
    """Lay out what every process does now, in lines without an end."""
    lines: list[str] = []
    for one in processes:
        lines += ["", _title(one), *_table(one, colours=colours)]
        lines += _tasks(one)
    return lines[1:]


def _title(process: ProcessView) -> str:
    holders = [one for one in process.threads if one.holds_gil]
    parts = [f"process {process.pid} {_clean(process.name)}", _many(len(process.threads), "thread")]
    if holders:
        parts.append(f"the GIL is held by {_clean(holders[0].name)} ({holders[0].tid})")
    elif process.has_gil:
        parts.append("nobody holds the GIL")
    return " · ".join(parts)


def _many(count: int, what: str) -> str:
    return f"{count_text(count)} {what}{'s' if count != 1 else ''}"


def _clean(text: str) -> str:
    """Show paths as seen from here, and what a terminal might take for a command as a mark."""
    short = text.replace(f"{Path.cwd()}{os.sep}", "")
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in short)


def _table(process: ProcessView, *, colours: bool) -> Iterable[str]:
    rows = [_row(one) for one in process.threads]
    widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
    yield _line(_HEADER, widths)
    for one, row in zip(process.threads, rows, strict=True):
        line = _line(row, widths)
        if colours and one.state in _COLOURS:
            start = widths[0] + 2 * _GAP
            end = start + len(row[1])
            shown = click.style(line[start:end], fg=_COLOURS[one.state])
            line = line[:start] + shown + line[end:]
        yield line
        if one.awaits:
            yield f"{'':<{2 * _GAP}}waits for {_clean(one.awaits)}"


def _row(one: ThreadView) -> tuple[str, ...]:
    state = f"{one.state.name}/{one.reason.word}" if one.reason.word else one.state.name
    name = f"{_clean(one.name) or 'thread'} ({one.tid})"
    return name, state, time_text(one.lasts_ns), _clean(one.where) or "-", _shares(one)


def _shares(one: ThreadView) -> str:
    told = [(state, share) for state, share in one.shares if share >= _LEAST_SHARE][:_SHARES]
    return ", ".join(f"{state.name} {share_text(share)}" for state, share in told)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return (" " * _GAP + (" " * _GAP).join(parts)).rstrip()


def _tasks(process: ProcessView) -> list[str]:
    counts = process.tasks
    if counts is None:
        return []
    now = ", ".join(f"{count_text(n)} {state.name}" for state, n in counts.now.items())
    made = f"{count_text(counts.made)} made, {_many(counts.steps, 'step')}"
    return [f"  tasks on {_many(counts.loops, 'loop')}: {now or 'none alive'} ({made} so far)"]
