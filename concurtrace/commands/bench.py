"""``concurtrace bench``: time a function, or say which of two is faster."""

import dataclasses
import json

import click

from concurtrace.analysis import benchmark
from concurtrace.analysis.benchmark import Figure, Ratio
from concurtrace.commands._options import quiet_option
from concurtrace.commands._progress import progress
from concurtrace.errors import UsageError
from concurtrace.launch import bench
from concurtrace.launch.bench import Bench
from concurtrace.units import significant, time_text


@click.command()
@click.argument("first")
@click.argument("second", required=False)
@click.option("--processes", type=click.IntRange(2, 1000), default=10, show_default=True)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="How often both are timed in each process.",
)
@click.option(
    "--min-time",
    type=click.FloatRange(min=0),
    default=0.02,
    show_default=True,
    help="Seconds that one value takes at least: so many calls are made for it.",
)
@click.option(
    "--format", "format_name", type=click.Choice(["terminal", "json"]), default="terminal"
)
@quiet_option
def command(
    first: str,
    second: str | None,
    processes: int,
    rounds: int,
    min_time: float,
    format_name: str,
    quiet: bool,
) -> None:
    """Time FIRST, or say which of FIRST and SECOND is faster; a lead within the noise is a tie.

    Each is MODULE:FUNC, called without arguments, or MODULE:EXPRESSION, like mine:work(20). Both
    take turns in the same processes, so that whatever slows the machine slows both.

    \b
    Examples:
      concurtrace bench 'mine:work(20)' 'mine:work(40)'
      concurtrace bench mine:old mine:new --processes 20
    """
    statements = (first,) if second is None else (first, second)
    for one in statements:
        if not all(one.partition(":")):
            raise UsageError(f"'{one}' is not MODULE:FUNC or MODULE:EXPRESSION.")
    wanted = Bench(statements, processes, rounds, round(min_time * 1e9))
    taken = bench.run(wanted, progress(quiet=quiet))
    figures = [benchmark.figure(one) for one in taken]
    ratio = benchmark.ratio(*taken) if len(taken) > 1 else None
    if format_name == "json":
        click.echo(_json(wanted, figures, ratio))
    else:
        click.echo(_text(wanted, figures, ratio))


def _text(wanted: Bench, figures: list[Figure], ratio: Ratio | None) -> str:
    """Say how long each takes, and the verdict."""
    width = max(map(len, wanted.statements))
    lines = [
        f"{name:<{width}}  {time_text(one.mean_ns)} ± {time_text(one.deviation_ns)}"
        for name, one in zip(wanted.statements, figures, strict=True)
    ]
    if ratio is not None:
        if not ratio.is_tie:
            apart = abs(figures[0].mean_ns - figures[1].mean_ns)
            lines += [f"difference: {time_text(apart)} per call"]
        lines += [verdict(wanted.statements, ratio)]
    lines += [f"{wanted.processes} processes, {wanted.rounds} rounds in each"]
    return "\n".join(lines)


def verdict(statements: tuple[str, ...], ratio: Ratio) -> str:
    """Say who is faster and how much, with the interval; or that it is a tie."""
    if ratio.is_tie:
        low, high = significant(ratio.low), significant(ratio.high)
        return (
            f"A tie: {statements[0]} takes between {low} and {high} times as long as"
            f" {statements[1]} (95 % interval), so noise could explain who leads."
        )
    faster = statements[1] if ratio.value > 1 else statements[0]
    if ratio.value < 1:
        ratio = Ratio(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
    low, high = significant(ratio.low), significant(ratio.high)
    return f"{faster} is {significant(ratio.value)} times as fast (95 % interval: {low} to {high})."


def _json(wanted: Bench, figures: list[Figure], ratio: Ratio | None) -> str:
    rows = [
        {"statement": name, **dataclasses.asdict(one)}
        for name, one in zip(wanted.statements, figures, strict=True)
    ]
    compared = {**dataclasses.asdict(ratio), "is_tie": ratio.is_tie} if ratio else None
    return json.dumps({"functions": rows, "ratio": compared})
