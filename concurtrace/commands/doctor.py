"""``concurtrace doctor``: what works on this machine, what does not, and why."""

import importlib.util
import sys

import click

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.launch import describe
from concurtrace.launch.plan import load_workload
from concurtrace.rundir.manifest import structure_environment
from concurtrace.units import size_text


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
    click.echo("Workloads:")
    for name in discovery.modules(Kind.WORKLOAD):
        click.echo(f"  {name}: {_missing_packages(name) or 'all modes'}")


def _missing_packages(name: str) -> str:
    lines = []
    for mode in load_workload(name).modes.values():
        absent = [one for one in mode.imports if importlib.util.find_spec(one) is None]
        if absent:
            lines.append(f"{mode.name} needs {', '.join(absent)}: pip install {mode.install_hint}")
    return "; ".join(lines)
