"""``concurtrace stress``: repeat a run under varied pressure, and find the runs that go wrong."""

import dataclasses
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from concurtrace import discovery
from concurtrace.commands._options import parameters_given, quiet_option
from concurtrace.commands._progress import progress
from concurtrace.commands._script import script_target
from concurtrace.discovery import Kind
from concurtrace.errors import UsageError
from concurtrace.launch import plan, stress
from concurtrace.launch.stress import Compare, Range, Setting, Stress, StressPlan, Trial, Verdict
from concurtrace.model.masking import mask_arguments
from concurtrace.model.run import Target, TargetKind
from concurtrace.rundir import store
from concurtrace.rundir.atomic import write_atomically
from concurtrace.units import time_text
from concurtrace.workload import Parameter

REPORT = "stress.json"
_SWITCH_INTERVALS_US = (stress.PLAIN_SWITCH_US, 1.0, 50.0, 1000.0)
_YIELDS = (0, 1, 2, 3)
_OTHER_WORKERS = (1, 2, 3, 8)
_OTHER_SEEDS = (1, 2)
_START_METHODS = ("fork", "spawn", "forkserver")


def _numbers(kind: Callable[[str], Any], least: float) -> Callable[..., Any]:
    """Make the reader of an option that takes numbers separated by commas."""

    def read(_context: click.Context, _parameter: click.Parameter, given: str | None) -> Any:
        try:
            values = tuple(kind(part) for part in (given or "").split(",") if part.strip())
        except ValueError:
            raise click.BadParameter(f"{given} is no list of numbers, like 1,2,4.") from None
        if any(value < least for value in values):
            raise click.BadParameter(f"{given}: {least:g} is the least.")
        return tuple(dict.fromkeys(values))

    return read


def _words(_context: click.Context, _parameter: click.Parameter, given: str | None) -> Any:
    values = tuple(part.strip() for part in (given or "").split(",") if part.strip())
    for value in values:
        if value not in _START_METHODS:
            raise click.BadParameter(discovery.unknown("start method", value, _START_METHODS))
    return values


class _OneCommand(click.Command):
    """Options may follow the name of a workload; what follows a script is the script's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_interspersed_args = False
        found, _, _ = self.make_parser(ctx).parse_args(list(args))
        is_script = bool(found.get("module") or found.get("code"))
        ctx.allow_interspersed_args = not is_script and found.get("target") in discovery.modules(
            Kind.WORKLOAD
        )
        return super().parse_args(ctx, args)


@click.command(cls=_OneCommand)
@click.argument("target", metavar="WORKLOAD|SCRIPT")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option("--runs", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--mode", help="A mode of the workload.")
@click.option("--preset", type=click.Choice(plan.PRESETS), default="tiny", show_default=True)
@click.option("--size", type=int, help="How many items the workload has.")
@click.option("--variant", help="A variant of the workload.")
@click.option("--fault", help="A mistake on purpose, to see it found.")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="Of the workload.")
@click.option(
    "--switch-interval-us",
    "switch_intervals_us",
    callback=_numbers(float, 0.1),
    metavar="US,…",
    help="Switch intervals in microseconds; by default 5000,1,50,1000.",
)
@click.option(
    "--yields",
    callback=_numbers(int, 0),
    metavar="SEED,…",
    help="Seeds of pauses between bytecodes, 0 for none; by default 0,1,2,3.",
)
@click.option("--workers", callback=_numbers(int, 1), metavar="N,…", help="Numbers of workers.")
@click.option(
    "--seed",
    "seeds",
    callback=_numbers(int, 0),
    metavar="N,…",
    help="Seeds of the workload; of a script, values of PYTHONHASHSEED.",
)
@click.option(
    "--start-method",
    "start_methods",
    callback=_words,
    metavar="METHOD,…",
    help="How processes are started; by default all ways that the mode knows.",
)
@click.option(
    "--compare",
    type=click.Choice([one.value for one in Compare]),
    default=Compare.OUTPUT.value,
    show_default=True,
    help="What a script's runs must have in common.",
)
@click.option(
    "--time-limit", type=click.FloatRange(min=0.1), help="Seconds after which a run hangs."
)
@click.option("-m", "module", is_flag=True, help="SCRIPT is the name of a module.")
@click.option("-c", "code", is_flag=True, help="SCRIPT is the program itself.")
@quiet_option
def command(target: str, args: tuple[str, ...], runs: int, quiet: bool, **given: Any) -> None:
    """Repeat a run under varied pressure; report the runs that differ, hang or fail.

    What varies: the switch interval, pauses in the middle of lines, and the number of workers, the
    seed and the start method where the target knows them. The first run is a plain one.

    \b
    Examples:
      concurtrace stress race --mode threads --fault unsynchronised
      concurtrace stress test-suite --fault flaky --runs 40
      concurtrace stress my_program.py --its-own option
      concurtrace stress -m unittest tests.test_mine
    """
    is_script = given["module"] or given["code"]
    if not is_script and target in discovery.modules(Kind.WORKLOAD):
        if args:
            raise UsageError(f"A workload takes no arguments: {' '.join(args)}.")
        todo, again = _workload_plan(target, runs, given)
    else:
        if not is_script and not Path(target).exists() and "." not in target:
            raise UsageError(discovery.unknown("workload", target, _workloads()))
        todo, again = _script_plan(target, args, runs, given)
    folder = store.create(Target(TargetKind.SCRIPT, todo.name), stress.STRESS)
    trials = Stress(todo, folder, progress(quiet=quiet)).execute()
    bad = [one for one in trials if one.verdict is not Verdict.OK]
    if not quiet:
        click.echo(_summary(todo, trials, again))
    write_atomically(folder / REPORT, _document(todo, trials, again))
    click.echo(str(folder / REPORT))
    sys.exit(3 if bad or not trials else 0)


def _workloads() -> list[str]:
    return list(discovery.modules(Kind.WORKLOAD))


def _workload_plan(name: str, runs: int, given: dict[str, Any]) -> tuple[StressPlan, list[str]]:
    """Plan the trials of a workload, and the command line without what varies."""
    fixed = parameters_given(
        {key: given[key] for key in ("params", "size", "variant", "fault")},
    )
    plain = plan.workload_target(name, given["mode"], given["preset"], fixed)
    known = {one.name: one for one in plan.load_workload(name).parameters}

    def target(setting: Setting) -> Target:
        varied = {
            "workers": setting.workers,
            "seed": setting.seed,
            "start-method": setting.start_method,
        }
        wanted = {key: value for key, value in varied.items() if value is not None}
        return plan.workload_target(name, plain.mode, given["preset"], fixed | wanted)

    module = find_spec(discovery.modules(Kind.WORKLOAD)[name])
    folders = module.submodule_search_locations if module else None
    own = (f"{folders[0]}{os.sep}",) if folders else (str(module.origin) if module else "",)
    values = Range(
        given["switch_intervals_us"] or _SWITCH_INTERVALS_US,
        given["yields"] or _YIELDS,
        given["workers"] or _workers(known.get("workers"), plain),
        given["seeds"] or (int(plain.parameters["seed"]), *_OTHER_SEEDS),
        given["start_methods"] or _start_methods(known, plain),
    )
    settings = tuple(values.settings(runs))
    for one in settings:
        target(one)  # what it can't be is said before anything runs
    limit_s = given["time_limit"]
    if limit_s is None and plan.default_limit_s(plain) < plan.DEFAULT_LIMIT_S:
        limit_s = plan.default_limit_s(plain)
    words = ["stress", name, "--mode", str(plain.mode)]
    words += ["--preset", given["preset"]] if given["preset"] != "tiny" else []
    for key, value in fixed.items():
        option = ["--" + key, str(value)]
        words += option if key in ("size", "variant", "fault") else ["--param", f"{key}={value}"]
    return StressPlan(name, target, None, own, settings, limit_s), words


def _workers(parameter: Parameter | None, plain: Target) -> tuple[int, ...]:
    """Choose numbers of workers around the plain one, as far as the workload allows."""
    if parameter is None:
        return ()
    wanted = (int(plain.parameters["workers"]), *_OTHER_WORKERS)
    low, high = parameter.minimum or 1, parameter.maximum or max(wanted)
    return tuple(dict.fromkeys(one for one in wanted if low <= one <= high))


def _start_methods(known: dict[str, Parameter], plain: Target) -> tuple[str, ...]:
    """Vary the start method where processes are started; elsewhere it changes nothing."""
    parameter = known.get("start-method")
    starts = plain.mode == "pool" or "processes" in str(plain.mode)
    return parameter.choices if parameter is not None and starts else ()


def _script_plan(
    script: str, args: tuple[str, ...], runs: int, given: dict[str, Any]
) -> tuple[StressPlan, list[str]]:
    """Plan the trials of a program, and the command line without what varies."""
    options = ("mode", "size", "variant", "fault", "params", "workers")
    wrong = [key for key in options if given[key]]
    if wrong:
        raise UsageError(f"--{wrong[0].removesuffix('s')} is for workloads, not for a script.")
    is_module, is_code = given["module"], given["code"]
    target, argv = script_target(script, args, module=is_module, code=is_code)
    values = Range(
        given["switch_intervals_us"] or _SWITCH_INTERVALS_US,
        given["yields"] or _YIELDS,
        (),
        given["seeds"] or (0, *_OTHER_SEEDS),
        given["start_methods"],
    )
    compare = Compare(given["compare"])
    words = ["stress"]
    words += ["--compare", compare.value] if compare is not Compare.OUTPUT else []
    words += ["-m"] if is_module else ["-c"] if is_code else []
    todo = StressPlan(
        "code" if is_code else script,
        lambda _setting: target,
        argv,
        _own(script, module=is_module, code=is_code),
        tuple(values.settings(runs)),
        given["time_limit"],
        compare,
    )
    return todo, [*words, script, *args]


def _own(script: str, *, module: bool, code: bool) -> tuple[str, ...]:
    """Return how the paths of a program's own files begin."""
    if code:
        return ("<string>",)
    if module:
        found = find_spec(script.partition(".")[0])
        if found is None or found.origin is None:
            return (f"{Path.cwd()}{os.sep}",)
        return (found.origin.removesuffix("__init__.py"), f"{Path.cwd()}{os.sep}")
    return (script, f"{Path(script).resolve().parent}{os.sep}")


def _command(again: list[str], setting: Setting) -> str:
    """Write the command that repeats a trial; what looks like a credential is to be filled in."""
    pinned = ["--runs", "1", "--switch-interval-us", f"{setting.switch_interval_us:g}"]
    pinned += ["--yields", str(setting.yields)]
    for option, value in (
        ("--workers", setting.workers),
        ("--seed", setting.seed),
        ("--start-method", setting.start_method),
    ):
        pinned += [option, str(value)] if value is not None else []
    own = mask_arguments(tuple(again[1:]))
    return shlex.join(["concurtrace", again[0], *pinned, *own])


def _summary(todo: StressPlan, trials: list[Trial], again: list[str]) -> str:
    """Say how many went wrong, and for each of them how, and what repeats it."""
    counts = Counter(one.verdict for one in trials)
    bad = [one for one in trials if one.verdict is not Verdict.OK]
    planned = len(todo.settings)
    done = f"{len(trials)} runs" if len(trials) == planned else f"{len(trials)} of {planned} runs"
    if not bad:
        return f"{todo.name}: {done}, all of them alike."
    parts = [f"{counts[one]} {_VERB[one]}" for one in Verdict if counts[one]]
    lines = [f"{todo.name}: {done}: {', '.join(parts)}."]
    for one in bad:
        took = time_text(one.wall_ns)
        lines += [f"  {one.number:>3}  {one.verdict} ({took}): {one.reason}"]
        lines += [f"       {_command(again, one.setting)}"]
    if counts[Verdict.DIFFERS] == planned - 1 > 1 and todo.argv is not None:
        lines.append(
            "Every output differs from the first. If the program prints times or addresses,"
            " compare the exit codes alone: --compare exit"
        )
    return "\n".join(lines)


_VERB = {
    Verdict.OK: "as they should be",
    Verdict.DIFFERS: "differ",
    Verdict.HANGS: "hang",
    Verdict.FAILS: "fail",
}


def _document(todo: StressPlan, trials: list[Trial], again: list[str]) -> bytes:
    """Write all trials as JSON, format 1."""
    rows = [{**dataclasses.asdict(one), "command": _command(again, one.setting)} for one in trials]
    document = {
        "format": {"name": "concurtrace-stress", "version": 1},
        "target": todo.name,
        "planned": len(todo.settings),
        "trials": rows,
    }
    return (json.dumps(document, indent=1) + "\n").encode()
