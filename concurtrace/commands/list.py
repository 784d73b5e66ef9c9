"""``concurtrace list``: what there is to run, to watch with, to show with, and what was run."""

import json

import click

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.errors import UsageError
from concurtrace.launch.plan import load_workload
from concurtrace.rundir import store
from concurtrace.workload import Workload

_KINDS = {
    "workloads": Kind.WORKLOAD,
    "instruments": Kind.INSTRUMENT,
    "rules": Kind.RULE,
    "renderers": Kind.RENDERER,
}


@click.command("list")
@click.argument("what", default="workloads")
@click.argument("name", required=False)
@click.option(
    "--course",
    type=click.Choice(["a", "b"]),
    help="Workloads of one course: a, Learning Concurrency in Python; b, Concurrent Programming.",
)
def command(what: str, name: str | None, course: str | None) -> None:
    """List workloads, instruments, rules, renderers or runs; with a NAME, one in full.

    \b
    Examples:
      concurtrace list
      concurtrace list workloads crawler
      concurtrace list --course b
      concurtrace list runs
    """
    if what == "runs":
        for run in store.list_names():
            click.echo(run)
        return
    if what not in _KINDS:
        raise UsageError(discovery.unknown("list", what, (*_KINDS, "runs")))
    if name is not None:
        _show_one(_KINDS[what], name)
        return
    names = [one for one in discovery.modules(_KINDS[what]) if _is_of(what, one, course)]
    width = max(map(len, names), default=0)
    for one in names:
        click.echo(f"{one:<{width}}  {_first_line(_KINDS[what], one)}")
        if what == "workloads":
            for line in _summary(load_workload(one)):
                click.echo(f"{'':<{width}}  {line}")


def _is_of(what: str, name: str, course: str | None) -> bool:
    if course is None:
        return True
    if what != "workloads":
        raise UsageError("--course is for the list of workloads.")
    return any(lesson.startswith(course.upper()) for lesson in load_workload(name).lessons)


def _first_line(kind: Kind, name: str) -> str:
    return (discovery.load(kind, name).__doc__ or "").strip().partition("\n")[0]


def _summary(workload: Workload) -> list[str]:
    faults = ", ".join(one.name for one in workload.faults)
    lines = [f"modes: {', '.join(workload.modes)}"]
    lines += [f"faults: {faults}"] if faults else []
    lines += [f"lessons: {', '.join(workload.lessons)}"] if workload.lessons else []
    return lines


def _show_one(kind: Kind, name: str) -> None:
    click.echo((discovery.load(kind, name).__doc__ or "").strip())
    if kind is not Kind.WORKLOAD:
        return
    workload = load_workload(name)
    click.echo(f"\nModes: {', '.join(workload.modes)} (default: {workload.default_mode})")
    click.echo(f"Lessons: {', '.join(workload.lessons) or 'none'}")
    for variant in workload.variants:
        click.echo(f"Variant {variant.name}: {variant.meaning}")
    for fault in workload.faults:
        click.echo(f"Fault {fault.name}: {fault.meaning}; {fault.outcome.value}")
    click.echo("\nParameters:")
    for one in workload.parameters:
        if one.choices:
            allowed = "one of " + ", ".join(one.choices)
        else:
            ends = [str(end) for end in (one.minimum, one.maximum) if end is not None]
            allowed = " to ".join(ends)
        presets = f"; presets {json.dumps(dict(one.presets))}" if one.presets else ""
        click.echo(f"  {one.name}={one.default}  {one.meaning} ({allowed}{presets})")
