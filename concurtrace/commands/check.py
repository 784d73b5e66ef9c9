"""``concurtrace check``: whether a run keeps to its budgets."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from concurtrace.commands._budgets import Bound, findings_over, parse_budget
from concurtrace.commands.show import render
from concurtrace.errors import UsageError
from concurtrace.rundir import store


@click.command()
@click.argument("run", default="last")
@click.option(
    "--max-findings",
    multiple=True,
    metavar="SEVERITY=N",
    help="How many findings may be so bad: warning=0; may repeat.",
)
@click.option(
    "--max",
    "most",
    multiple=True,
    metavar="PATH=NUMBER",
    help="The most that a figure may be, by its path in the JSON: gil.held=0.5; may repeat.",
)
@click.option(
    "--min",
    "least",
    multiple=True,
    metavar="PATH=NUMBER",
    help="The least that a figure may be: comparison.modes.threads.speedup=1.5; may repeat.",
)
def command(
    run: str, max_findings: tuple[str, ...], most: tuple[str, ...], least: tuple[str, ...]
) -> None:
    """Check a run, or a comparison, against budgets; exit 1 where one is exceeded.

    \b
    Examples:
      concurtrace check last --max-findings warning=0 --max wall_ns=2e9
      concurtrace check last --min comparison.modes.processes.speedup=1.5
    """
    budgets = [parse_budget(one, Bound.MAX) for one in most]
    budgets += [parse_budget(one, Bound.MIN) for one in least]
    if not budgets and not max_findings:
        raise UsageError("There is nothing to check: give --max, --min or --max-findings.")
    document = json.loads(render(store.find(run), "json"))
    said = [findings_over(_findings(document), one) for one in max_findings]
    said += [one.exceeded(document) for one in budgets]
    exceeded = [one for one in said if one is not None]
    for one in exceeded:
        click.echo(f"over budget: {one}")
    if not exceeded:
        click.echo(f"all {len(said)} budgets are kept")
    sys.exit(1 if exceeded else 0)


def _findings(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the findings of a run, or of all runs of a comparison."""
    if "comparison" not in document:
        return list(document["findings"])
    modes = document["comparison"]["modes"]
    return [one for mode in modes for one in mode["report"]["findings"]]
