"""``concurtrace compare``: every mode of a workload on the same work, in one report."""

import sys
from typing import Any

import click

from concurtrace import comparing
from concurtrace.commands._options import (
    instrument_names,
    max_trace_size_option,
    parameters_given,
    preset_option,
    quiet_option,
    time_limit_option,
    unswept_parameter_options,
    with_option,
)
from concurtrace.commands._progress import progress
from concurtrace.commands._report import write_comparison
from concurtrace.comparing import Variation, reference_of
from concurtrace.errors import RunFailedError, UsageError
from concurtrace.launch import plan
from concurtrace.launch.plan import RunPlan
from concurtrace.model.run import Target

_INSTRUMENTS = "baseline,states,cores"


@click.command()
@click.argument("workload")
@click.option("--modes", "modes", help="Modes, separated by commas; all of them by default.")
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Rounds: undisturbed executions of every mode.",
)
@click.option(
    "--workers",
    metavar="N,N,…",
    help="Numbers of workers: with several, every mode is run with each of them.",
)
@preset_option
@with_option(default=_INSTRUMENTS)
@unswept_parameter_options
@max_trace_size_option
@time_limit_option
@quiet_option
def command(
    workload: str,
    modes: str | None,
    repeat: int,
    workers: str | None,
    preset: str,
    instruments: str,
    max_trace_size: int | None,
    time_limit: float | None,
    quiet: bool,
    **given: Any,
) -> None:
    """Run modes of a workload on the same work, in turns, and say which is how much faster.

    \b
    Examples:
      concurtrace compare factorize
      concurtrace compare crawler --modes sequential,threads,async --repeat 10
      concurtrace compare factorize --modes threads,processes --workers 1,2,4
    """
    names = instrument_names(instruments)
    if "baseline" not in names:
        raise UsageError("Modes are compared by their undisturbed runs: add baseline to --with.")
    passes = plan.plan_passes(plan.find_instruments(names), repeat)
    options = plan.instrument_options((), max_trace_size)
    targets, left_out = _targets(workload, modes, preset, parameters_given(given))
    variations = []
    for target in targets:
        numbers = _numbers(workers, target)
        for many in numbers:
            chosen = _with_workers(workload, preset, target, many)
            limit = time_limit or plan.default_limit_s(chosen)
            swept = many if len(numbers) > 1 else None
            variations.append(Variation(RunPlan(chosen, passes, None, options, limit), swept))
    folder = comparing.record_comparison(tuple(variations), repeat, left_out, progress(quiet=quiet))
    sys.exit(0 if write_comparison(folder, quiet=quiet).succeeded else 3)


def _targets(
    workload: str, modes: str | None, preset: str, values: dict[str, str | int]
) -> tuple[list[Target], tuple[str, ...]]:
    """Plan the modes that were asked for; of all modes, those that can be run here."""
    known = tuple(plan.load_workload(workload).modes)
    if modes is not None:
        wanted = tuple(dict.fromkeys(part.strip() for part in modes.split(",") if part.strip()))
        if not wanted:
            raise UsageError("--modes names no mode.")
        found = [plan.workload_target(workload, one, preset, values) for one in wanted]
        return _reference_first(found), ()
    targets, left_out = [], []
    for mode in known:
        try:
            targets.append(plan.workload_target(workload, mode, preset, values))
        except (RunFailedError, UsageError) as error:
            left_out.append(f"{mode}: {error}")
    if not targets:
        raise UsageError(f"No mode of {workload} can be run like this. {' '.join(left_out)}")
    return _reference_first(targets), tuple(left_out)


def _reference_first(targets: list[Target]) -> list[Target]:
    reference = reference_of(tuple(one.mode or "" for one in targets))
    return sorted(targets, key=lambda one: one.mode != reference)


def _numbers(workers: str | None, target: Target) -> tuple[int | None, ...]:
    """Read the numbers of workers; one thread alone takes no number of them."""
    if workers is None:
        return (None,)
    parts = [part.strip() for part in workers.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part) <= 4096 for part in parts):
        raise UsageError(f"--workers takes numbers with commas between, not '{workers}'.")
    if "workers" not in target.parameters:
        raise UsageError(f"{target.name} has no workers.")
    numbers = tuple(dict.fromkeys(int(part) for part in parts))
    return numbers[-1:] if target.mode == comparing.SEQUENTIAL else numbers


def _with_workers(workload: str, preset: str, target: Target, many: int | None) -> Target:
    if many is None:
        return target
    values = {name: str(value) for name, value in target.parameters.items()}
    return plan.workload_target(workload, target.mode, preset, {**values, "workers": many})
