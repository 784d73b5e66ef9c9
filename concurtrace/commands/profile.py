"""``concurtrace profile``: run a workload under its instruments and report."""

import sys

import click

from concurtrace import api
from concurtrace.commands._options import (
    instrument_names,
    lines_option,
    quiet_option,
    with_option,
)
from concurtrace.commands._progress import progress
from concurtrace.commands._report import write_report
from concurtrace.errors import UsageError
from concurtrace.launch import plan
from concurtrace.launch.plan import RunPlan


@click.command()
@click.argument("workload")
@click.option("--mode", "modes", multiple=True, help="A mode of the workload; may repeat.")
@with_option(default=None)
@click.option("--size", type=int, help="How many items the work has.")
@click.option("--workers", type=int, help="How many workers share it.")
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Executions of the baseline.",
)
@click.option(
    "--preset",
    type=click.Choice(plan.PRESETS),
    default="default",
    show_default=True,
    help="A size of the work.",
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter of the workload; see: concurtrace list workloads NAME.",
)
@lines_option
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0.1),
    default=300.0,
    show_default=True,
    help="Seconds that one execution may take.",
)
@quiet_option
def command(
    workload: str,
    modes: tuple[str, ...],
    instruments: str,
    size: int | None,
    workers: int | None,
    repeat: int,
    preset: str,
    params: tuple[str, ...],
    lines: tuple[str, ...],
    time_limit: float,
    quiet: bool,
) -> None:
    """Run a bundled workload under its instruments and write a report.

    \b
    Examples:
      concurtrace profile crawler --mode async
      concurtrace profile factorize --mode threads --mode processes --with baseline,functions
    """
    given = _parameters(params)
    given |= {k: v for k, v in (("size", size), ("workers", workers)) if v is not None}
    targets = [plan.workload_target(workload, mode, preset, given) for mode in modes or (None,)]
    found = plan.find_instruments(instrument_names(instruments))
    passes = plan.plan_passes(found, repeat)
    options = plan.instrument_options(lines)
    succeeded = True
    for target in targets:
        run = RunPlan(target, passes, None, options, time_limit)
        report = write_report(api.record(run, progress(quiet=quiet)), quiet=quiet)
        succeeded = succeeded and report.outcome.succeeded
        if report.outcome.interrupted:
            break
    sys.exit(0 if succeeded else 3)


def _parameters(params: tuple[str, ...]) -> dict[str, str | int]:
    given: dict[str, str | int] = {}
    for param in params:
        key, equals, value = param.partition("=")
        if not equals:
            raise UsageError(f"--param takes KEY=VALUE, not '{param}'.")
        given[key] = value
    return given
