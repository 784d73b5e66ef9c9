"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

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
