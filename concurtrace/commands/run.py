"""``concurtrace run``: record any Python program, as it is."""

import sys

import click

from concurtrace import api
from concurtrace.commands._options import (
    instrument_names,
    lines_option,
    max_trace_size_option,
    quiet_option,
    with_option,
)
from concurtrace.commands._progress import progress
from concurtrace.commands._report import write_report
from concurtrace.commands._script import script_target
from concurtrace.launch import plan
from concurtrace.launch.plan import RunPlan
from concurtrace.model.report import Report

_DEFAULT_INSTRUMENTS = ("states", "tasks", "cores")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@with_option(default=",".join(_DEFAULT_INSTRUMENTS))
@lines_option
@max_trace_size_option
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Executions of the baseline, where that is asked for.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0.1),
    help="Seconds that one execution may take; no limit by default.",
)
@click.option("-m", "module", is_flag=True, help="SCRIPT is the name of a module.")
@click.option("-c", "code", is_flag=True, help="SCRIPT is the program itself.")
@quiet_option
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(
    instruments: str,
    lines: tuple[str, ...],
    max_trace_size: int | None,
    repeat: int,
    time_limit: float | None,
    module: bool,
    code: bool,
    quiet: bool,
    script: str,
    args: tuple[str, ...],
) -> None:
    """Run any Python program and report what its threads and processes waited for.

    Everything after SCRIPT belongs to the program; its input, output and exit code are its own.

    \b
    Examples:
      concurtrace run server.py --port 8000
      concurtrace run -m pytest tests
      concurtrace run -c "print(1)"
    """
    target, argv = script_target(script, args, module=module, code=code)
    passes = plan.plan_passes(plan.find_instruments(instrument_names(instruments)), repeat)
    options = plan.instrument_options(lines, max_trace_size)
    folder = api.record(RunPlan(target, passes, argv, options, time_limit), progress(quiet=quiet))
    sys.exit(_exit_code(write_report(folder, quiet=quiet)))


def _exit_code(report: Report) -> int:
    """The target's own; 128+N where signal N ended it, 3 where we had to stop it."""
    outcome = report.outcome
    if outcome.timed_out or outcome.standstill:
        return 3
    if outcome.signal is not None:
        return 128 + outcome.signal
    return outcome.exit_code if outcome.exit_code is not None else 3
