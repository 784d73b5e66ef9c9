"""``concurtrace doctor``: what works on this machine, what does not, and why."""

import re
import sys
from importlib import metadata
from importlib.util import find_spec

import click

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.launch import describe
from concurtrace.launch.plan import load_workload
from concurtrace.rundir.manifest import structure_environment
from concurtrace.units import size_text

_REQUIREMENT = re.compile(r"""(?P<package>[\w.-]+).*;\s*extra\s*==\s*["'](?P<extra>[^"']+)["']""")
_FOR_DEVELOPERS = ("test", "lint", "dev")


@click.command()
def command() -> None:
    """Say what works on this machine, what does not, and why.

    \b
    Example:
      concurtrace doctor
    """
    environment = structure_environment(describe.environment())
    machine = environment.machine
    click.echo(f"Python {environment.python} ({environment.implementation}) at {sys.executable}")
    gil = "on" if environment.gil else "off"
    click.echo(f"GIL {gil}; start method {environment.start_method}; kernel {machine.kernel}")
    quota = f", quota {machine.quota_cores:g}" if machine.quota_cores else ""
    click.echo(
        f"{machine.cores} cores ({machine.usable_cores} usable{quota}), {machine.model},"
        f" {size_text(machine.memory_bytes)}, {machine.memory_architecture} with"
        f" {len(machine.numa_nodes)} memory node(s)"
    )
    for cache in machine.caches:
        click.echo(
            f"  L{cache.level} {cache.kind} cache {size_text(cache.size_bytes)},"
            f" shared by {cache.shared_by}"
        )
    click.echo("Instruments:")
    for name in discovery.modules(Kind.INSTRUMENT):
        instrument = discovery.load(Kind.INSTRUMENT, name).INSTRUMENT
        reason = instrument.missing()
        click.echo(f"  {name}: {'works' if reason is None else 'does not work: ' + reason}")
    click.echo("Extras:")
    for extra, absent in extras().items():
        click.echo(f"  {extra}: {_missing_text(extra, absent)}")
    click.echo("Workloads:")
    lacking = {name: why for name in discovery.modules(Kind.WORKLOAD) if (why := _lacking(name))}
    for name, why in lacking.items():
        click.echo(f"  {name}: {why}")
    whole = len(discovery.modules(Kind.WORKLOAD)) - len(lacking)
    click.echo(f"  {'the other ' if lacking else ''}{whole}: all modes")


def extras() -> dict[str, list[str]]:
    """List the extras that workloads need, each with its packages that are not installed."""
    found: dict[str, list[str]] = {}
    for requirement in metadata.requires("concurtrace") or ():
        match = _REQUIREMENT.match(requirement)
        if match is None or match["extra"] in _FOR_DEVELOPERS:
            continue
        absent = found.setdefault(match["extra"], [])
        try:
            metadata.version(match["package"])
        except metadata.PackageNotFoundError:
            absent.append(match["package"])
    return found


def _missing_text(extra: str, absent: list[str]) -> str:
    if not absent:
        return "installed"
    return f'lacks {", ".join(absent)}: pip install "concurtrace[{extra}]"'


def _lacking(name: str) -> str:
    workload = load_workload(name)
    lines = [lacking] if (lacking := workload.missing()) else []
    for mode in workload.modes.values():
        absent = [one for one in mode.imports if find_spec(one.partition(".")[0]) is None]
        if absent:
            lines.append(f"{mode.name} needs {', '.join(absent)}: pip install {mode.install_hint}")
    return "; ".join(lines)
