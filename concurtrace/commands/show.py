"""``concurtrace show``: render a run again, in any format."""

import os
from pathlib import Path

import click

from concurtrace import api, comparing
from concurtrace.commands._report import HTML_NAME
from concurtrace.rundir import store
from concurtrace.rundir.atomic import write_atomically
from concurtrace.rundir.comparison import is_comparison

_FILES = {"html": HTML_NAME, "perfetto": "run.perfetto-trace"}
"""Formats that nobody wants on a terminal, and the file in the run directory instead."""


@click.command()
@click.argument("run", default="last")
@click.option(
    "--format",
    "format_name",
    default="terminal",
    show_default=True,
    help="terminal, html, json or another renderer; see: concurtrace list renderers.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to a file instead of stdout.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the HTML report in a browser.")
def command(run: str, format_name: str, output: Path | None, open_it: bool) -> None:
    """Show a run: a run directory, its name, a unique prefix, or `last`.

    \b
    Examples:
      concurtrace show last --format json
      concurtrace show --format html -o report.html --open
    """
    folder = store.find(run)
    format_name = "html" if open_it else format_name
    content = render(folder, format_name)
    if output is None and format_name in _FILES:
        output = folder / _FILES[format_name]
    if output is None:
        with os.fdopen(os.dup(1), "wb") as stdout:
            stdout.write(content if content.endswith(b"\n") else content + b"\n")
        return
    write_atomically(output, content)
    click.echo(str(output))
    if open_it:
        click.launch(output.resolve().as_uri())


def render(folder: Path, format_name: str) -> bytes:
    """Render a run, or a comparison of runs, in one format."""
    if is_comparison(folder):
        return comparing.render(comparing.load_comparison(folder), format_name)
    return api.render(api.load(folder), format_name)
