"""``concurtrace diff``: what changed between two runs."""

import re
import sys

import click

from concurtrace import comparing
from concurtrace.analysis.difference import regressions
from concurtrace.errors import UsageError

_SLOWER = re.compile(r"slower(?:=(\d{1,7}(?:\.\d+)?))?")


@click.command()
@click.argument("before")
@click.argument("after", default="last")
@click.option(
    "--format", "format_name", default="terminal", show_default=True, help="terminal or json."
)
@click.option(
    "--fail-on",
    "fail_on",
    multiple=True,
    metavar="slower[=PERCENT]|warning",
    help="Exit with 1 where it got slower beyond the noise, or a warning is new; may repeat.",
)
def command(before: str, after: str, format_name: str, fail_on: tuple[str, ...]) -> None:
    """Say what changed from one run to another: times, waits, functions, findings.

    \b
    Examples:
      concurtrace diff 20261122-0910 last
      concurtrace diff before after --fail-on slower=5 --fail-on warning
    """
    slower, warnings = _wanted(fail_on)
    found = comparing.load_difference(before, after)
    click.echo(comparing.render_difference(found, format_name).decode())
    worse = regressions(found, slower, warnings=warnings)
    for one in worse:
        click.echo(f"concurtrace: regression: {one}", err=True)
    sys.exit(1 if worse else 0)


def _wanted(fail_on: tuple[str, ...]) -> tuple[float | None, bool]:
    """Read what counts as a regression: slower by a share, and whether new warnings do."""
    slower: float | None = None
    for one in fail_on:
        found = _SLOWER.fullmatch(one)
        if found is not None:
            slower = float(found[1] or 0) / 100
        elif one != "warning":
            raise UsageError(f"--fail-on takes slower, slower=PERCENT or warning, not '{one}'.")
    return slower, "warning" in fail_on
