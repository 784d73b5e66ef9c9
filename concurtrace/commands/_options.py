"""Options that several commands share."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from concurtrace.errors import UsageError
from concurtrace.launch.plan import DEFAULT_LIMIT_S, PRESETS

_F = TypeVar("_F", bound=Callable[..., Any])

lines_option = click.option(
    "--lines",
    multiple=True,
    metavar="MODULE:FUNC",
    help="Functions for the lines and memory passes; may repeat.",
)
quiet_option = click.option(
    "--quiet", is_flag=True, help="Print nothing but the path of the report."
)


preset_option = click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="default",
    show_default=True,
    help="A size of the work.",
)
time_limit_option = click.option(
    "--time-limit",
    type=click.FloatRange(min=0.1),
    help=f"Seconds that one execution may take; {DEFAULT_LIMIT_S:g} by default.",
)


MIN_TRACE_BYTES = 1 << 20
_SIZE_STEPS = {"": 0, "K": 10, "M": 20, "G": 30}


def _bytes(_context: click.Context, _parameter: click.Parameter, given: str | None) -> int | None:
    """Read a number of bytes: ``64M``, ``1GiB``, ``2000000``."""
    if given is None:
        return None
    match = re.fullmatch(r"(\d{1,15})([KMG]?)(?:i?B)?", given, re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"{given} is no size: give a number, with K, M or G behind it.")
    size = int(match[1]) << _SIZE_STEPS[match[2].upper()]
    if size < MIN_TRACE_BYTES:
        raise click.BadParameter(f"{given} is too little: give 1M or more.")
    return size


max_trace_size_option = click.option(
    "--max-trace-size",
    callback=_bytes,
    metavar="SIZE",
    help="What the recording of wait states may take on disk; 256M by default. Totals stay exact.",
)


def with_option(default: str | None) -> Callable[[_F], _F]:
    """Make the option that chooses instruments; all of them where ``default`` is None."""
    shown = default or "all"
    return click.option(
        "--with",
        "instruments",
        default=default or "",
        help=f"Instruments, separated by commas; by default {shown}.",
    )


def instrument_names(given: str) -> tuple[str, ...]:
    """Split what was given to ``--with``."""
    return tuple(part.strip() for part in given.split(",") if part.strip())


def parameter_options(command: _F) -> _F:
    """Add the options that set a workload's parameters; ``parameters_given`` reads them."""
    workers = click.option("--workers", type=int, help="How many workers share it.")
    return unswept_parameter_options(workers(command))


def unswept_parameter_options(command: _F) -> _F:
    """Add the same but for ``--workers``, of which a command may take several."""
    many = click.option(
        "--param",
        "params",
        multiple=True,
        metavar="KEY=VALUE",
        help="A parameter of the workload; see: concurtrace list workloads NAME.",
    )
    named = (
        click.option("--size", type=int, help="How many items the work has."),
        click.option("--seed", type=int, help="What the input is generated from."),
        click.option("--variant", help="A variant of the workload."),
        click.option("--fault", help="A mistake on purpose, to see what it looks like."),
        click.option("--start-method", help="How processes are started."),
    )
    for option in (many, *reversed(named)):
        command = option(command)
    return command


def parameters_given(options: Mapping[str, Any]) -> dict[str, str | int]:
    """Collect what the parameter options were given; UsageError for a malformed ``--param``."""
    given: dict[str, str | int] = {}
    for param in options["params"]:
        key, equals, value = param.partition("=")
        if not equals:
            raise UsageError(f"--param takes KEY=VALUE, not '{param}'.")
        given[key] = value
    named = {name.replace("_", "-"): value for name, value in options.items() if name != "params"}
    return given | {name: value for name, value in named.items() if value is not None}
