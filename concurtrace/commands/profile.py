"""``concurtrace profile``: run a workload under its instruments and report."""

import sys

import click

from concurtrace import api
from concurtrace.commands._progress import progress
from concurtrace.commands._report import write_report
from concurtrace.errors import UsageError
from concurtrace.launch import plan
from concurtrace.launch.plan import RunPlan

_REPEAT_LIMIT = 1000


@click.command()
@click.argument("workload")
@click.option("--mode", "modes", multiple=True, help="A mode of the workload; may repeat.")
@click.option("--with", "instruments", help="Instruments, separated by commas; all by default.")
@click.option("--size", type=int, help="How many items the work has.")
@click.option("--workers", type=int, help="How many workers share it.")
@click.option("--repeat", type=click.IntRange(1, _REPEAT_LIMIT), default=3, show_default=True,
              help="Executions of the baseline.")
@click.option("--preset", type=click.Choice(plan.PRESETS), default="default", show_default=True,
              help="A size of the work.")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE",
              help="A parameter of the workload; see: concurtrace list workloads NAME.")
@click.option("--lines", "lines", multiple=True, metavar="MODULE:FUNC",
              help="Functions for the lines and memory passes; the workload's own by default.")
@click.option("--time-limit", type=click.FloatRange(min=0.1), default=300.0, show_default=True,
              help="Seconds that one execution may take.")
@click.option("--quiet", is_flag=True, help="Print nothing but the report's path.")
def command(
    workload: str, modes: tuple[str, ...], instruments: str | None, size: int | None,
    workers: int | None, repeat: int, preset: str, params: tuple[str, ...],
    lines: tuple[str, ...], time_limit: float, quiet: bool,
) -> None:
    """Run a bundled workload under its instruments and write a report.

    \b
    Examples:
      concurtrace profile crawler --mode async
      concurtrace profile factorize --mode threads --mode processes --with baseline,functions
    """
    given = _parameters(params)
    given |= {k: v for k, v in (("size", size), ("workers", workers)) if v is not None}
    names = tuple(part.strip() for part in (instruments or "").split(",") if part.strip())
    targets = [plan.workload_target(workload, mode, preset, given) for mode in modes or (None,)]
    passes = plan.plan_passes(plan.find_instruments(names), repeat)
    watched = {"functions": list(lines)} if lines else {}
    options = {"lines": watched, "memory": watched}
    succeeded = True
    for target in targets:
        made = api.record(
            RunPlan(target, passes, None, options, time_limit), progress(quiet=quiet)
        )
        succeeded = write_report(made, quiet=quiet).outcome.succeeded and succeeded
    sys.exit(0 if succeeded else 3)


def _parameters(params: tuple[str, ...]) -> dict[str, str | int]:
    given: dict[str, str | int] = {}
    for param in params:
        key, equals, value = param.partition("=")
        if not equals:
            raise UsageError(f"--param takes KEY=VALUE, not '{param}'.")
        given[key] = value
    return given
