"""``concurtrace live``: what a target that is being recorded does at this moment."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from concurtrace.analysis.live import ProcessView, Watch
from concurtrace.commands._live_text import describe
from concurtrace.commands._recorded import find_recorded, is_under_way, passes_recorded
from concurtrace.rundir.processes import read_processes

_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_CLEAR, _HIDE, _SHOW = "\x1b[2J", "\x1b[?25l", "\x1b[?25h"
_NOTHING = "nothing is recorded at this moment: a pass without wait states runs, or none"


@click.command()
@click.argument("run", required=False, metavar="[RUN|PID]")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.05),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Print one picture and end, as without a terminal.")
def command(run: str | None, interval: float, once: bool) -> None:
    """Show what a target that is being recorded does now, again and again.

    Give a run as for `show`, or the number of a process; without either it is the newest run that
    is being recorded. For each thread: its state, for how long, where it was seen last, what it
    waits for and who has that, and how it spent the time since the look before. To be used from
    another terminal; nothing in the target notices.

    \b
    Examples:
      concurtrace live
      concurtrace live 4711 --interval 0.2
      concurtrace live last --once
    """
    folder = find_recorded(run)
    pictures = _pictures(folder)
    if once or not sys.stdout.isatty():
        next(pictures, [])  # shares need two looks
        time.sleep(interval)
        click.echo("\n".join(next(pictures, [_ended(folder)])))
        return
    try:
        _redraw(folder, pictures, interval)
    except KeyboardInterrupt:
        click.echo()
    finally:
        click.echo(_SHOW, nl=False)


def _redraw(folder: Path, pictures: Iterator[list[str]], interval: float) -> None:
    click.echo(_HIDE + _CLEAR, nl=False)
    for lines in pictures:
        columns, rows = shutil.get_terminal_size()
        shown = lines if len(lines) < rows else [*lines[: rows - 2], f"… {len(lines)} lines"]
        text = "".join(f"{_cut(line, columns)}{_CLEAR_LINE}\n" for line in shown)
        click.echo(_HOME + text + _CLEAR_BELOW, nl=False)
        time.sleep(interval)
    click.echo(_ended(folder))


def _ended(folder: Path) -> str:
    return f"The target has ended: concurtrace show {folder.name}"


def _pictures(folder: Path) -> Iterator[list[str]]:
    """Yield the target as lines of text, as often as is asked, until it has ended."""
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    watched: Path | None = None
    watch: Watch | None = None
    while True:
        seen: tuple[ProcessView, ...] = watch.look() if watch is not None else ()
        if not seen:
            # The pass has ended, or has not begun.
            for raw in reversed(passes_recorded(folder)):
                watched, watch = raw, _watch(raw)
                if seen := watch.look():
                    break
        if not seen and not is_under_way(folder):
            return
        if watched is not None and seen:
            yield [_title(folder, watched), "", *describe(seen, colours=colours)]
        else:
            yield [f"{folder.name} · {_NOTHING}"]


def _title(folder: Path, watched: Path) -> str:
    """Name the run and its pass, and in a comparison the mode whose turn it is."""
    mode = [] if watched.parents[1] == folder else [watched.parents[1].name]
    return " · ".join((folder.name, *mode, watched.name))


def _watch(raw: Path) -> Watch:
    def names() -> dict[int, str]:
        return {one.key.pid: one.key.name for one in read_processes(raw).values()}

    return Watch(raw / "states", raw / "tasks", names)


def _cut(line: str, columns: int) -> str:
    """Cut a line to the width of the terminal; colours take no room."""
    plain = click.unstyle(line)
    return line if len(plain) <= columns else plain[: columns - 1] + "…"
