"""``concurtrace profile``: run a workload under its instruments and report."""

import sys
from typing import Any

import click

from concurtrace import api
from concurtrace.commands._options import (
    instrument_names,
    lines_option,
    max_trace_size_option,
    parameter_options,
    parameters_given,
    preset_option,
    quiet_option,
    time_limit_option,
    with_option,
)
from concurtrace.commands._progress import progress
from concurtrace.commands._report import write_report
from concurtrace.launch import plan
from concurtrace.launch.plan import RunPlan


@click.command()
@click.argument("workload")
@click.option("--mode", "modes", multiple=True, help="A mode of the workload; may repeat.")
@with_option(default=None)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Executions of the baseline.",
)
@preset_option
@parameter_options
@lines_option
@max_trace_size_option
@time_limit_option
@quiet_option
def command(
    workload: str,
    modes: tuple[str, ...],
    instruments: str,
    repeat: int,
    preset: str,
    lines: tuple[str, ...],
    max_trace_size: int | None,
    time_limit: float | None,
    quiet: bool,
    **given: Any,
) -> None:
    """Run a bundled workload under its instruments and write a report.

    \b
    Examples:
      concurtrace profile crawler --mode async
      concurtrace profile factorize --mode threads --mode processes --with baseline,functions
    """
    values = parameters_given(given)
    targets = [plan.workload_target(workload, mode, preset, values) for mode in modes or (None,)]
    found = plan.find_instruments(instrument_names(instruments))
    passes = plan.plan_passes(found, repeat)
    options = plan.instrument_options(lines, max_trace_size)
    succeeded = True
    for target in targets:
        limit = time_limit or plan.default_limit_s(target)
        run = RunPlan(target, passes, None, options, limit)
        report = write_report(api.record(run, progress(quiet=quiet)), quiet=quiet)
        succeeded = succeeded and report.outcome.succeeded
        if report.outcome.interrupted:
            break
    sys.exit(0 if succeeded else 3)
