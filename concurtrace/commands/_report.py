"""Write the reports of a run, and say where they are."""

from pathlib import Path

import click

from concurtrace import api, comparing
from concurtrace.model.comparison import Comparison
from concurtrace.model.report import Report
from concurtrace.rundir.atomic import write_atomically

HTML_NAME = "report.html"


def write_report(folder: Path, *, quiet: bool) -> Report:
    """Write the HTML report into the run directory; print the summary and the report's path."""
    report = api.load(folder)
    path = folder / HTML_NAME
    write_atomically(path, api.render(report, "html"))
    if not quiet:
        click.echo(api.render(report, "terminal").decode())
    click.echo(str(path))
    return report


def write_comparison(folder: Path, *, quiet: bool) -> Comparison:
    """Write the page of a comparison and those of its runs; print the summary and its path."""
    compared = comparing.load_comparison(folder)
    for one in compared.modes:
        write_atomically(folder / one.folder / HTML_NAME, api.render(one.report, "html"))
    path = folder / HTML_NAME
    write_atomically(path, comparing.render(compared, "html"))
    if not quiet:
        click.echo(comparing.render(compared, "terminal").decode())
    click.echo(str(path))
    return compared
