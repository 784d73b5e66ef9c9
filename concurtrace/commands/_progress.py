"""Progress on stderr: a line that replaces itself on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable

import click


def progress(*, quiet: bool) -> Callable[[str], None]:
    """Return the function that shows a message; nothing is shown with ``quiet``."""
    if quiet:
        return lambda _message: None

    def show(message: str) -> None:
        # The target writes to the same terminal, so a message keeps its own line.
        click.echo(click.style(f"concurtrace: {message}", dim=sys.stderr.isatty()), err=True)

    return show
