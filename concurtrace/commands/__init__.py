"""The command line: one file per command, found by name."""

import pkgutil
import sys
from importlib import import_module
from typing import Any

import click

from concurtrace._version import VERSION
from concurtrace.errors import ConcurtraceError


class _Commands(click.Group):
    """A group whose commands are the modules of this package, imported when they are used."""

    def list_commands(self, _context: click.Context) -> list[str]:
        names = [info.name for info in pkgutil.iter_modules(__path__)]
        return sorted(name.rstrip("_") for name in names if not name.startswith("_"))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        for module in (name, f"{name}_"):
            if module in {info.name for info in pkgutil.iter_modules(__path__)}:
                command: click.Command = import_module(f"{__name__}.{module}").command
                return command
        return None

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ConcurtraceError as error:
            click.echo(f"concurtrace: {error}", err=True)
            sys.exit(error.exit_code)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, package_name="concurtrace", prog_name="concurtrace")
def cli() -> None:
    """Profile concurrent Python programs and explain in words what holds them back.

    \b
    Example:
      concurtrace profile crawler --mode async
    """
