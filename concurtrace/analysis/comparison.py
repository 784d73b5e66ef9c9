"""Modes side by side: who is how much faster, who ties with the best, who was foretold right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from concurtrace.analysis.speed import speed
from concurtrace.model.comparison import Checked, ModeResult
from concurtrace.model.run import Pass, PassStatus


def trouble(one: Pass | None, *, interrupted: bool) -> str | None:
    """Say why a mode's times mean nothing; None where they do.

    In a comparison that was interrupted, the rounds before count.
    """
    if one is None:
        return "it was never run undisturbed"
    some = any(run.ended_by_itself for run in one.executions)
    if one.status is not PassStatus.OK and not (interrupted and some):
        return one.reason or f"its baseline is {one.status}"
    return "its result is wrong" if one.verified is False else None


def ranked(results: Sequence[ModeResult], reference: str) -> tuple[ModeResult, ...]:
    """Work out speed-ups against reference and best; the fastest first, failed ones last."""
    good = [one for one in results if one.trouble is None and one.walls_ns]
    base = next((one for one in good if one.name == reference), None)
    if base is None:
        return tuple(results)
    rated = [replace(one, speedup=speed(one.walls_ns, base.walls_ns)) for one in good]
    rated.sort(key=lambda one: -(one.speedup.factor if one.speedup else 0.0))
    best = best_of(rated)
    rated = [replace(one, against_best=speed(one.walls_ns, best.walls_ns)) for one in rated]
    return (*rated, *(one for one in results if one not in good))


def best_of(rated: Sequence[ModeResult]) -> ModeResult:
    """Choose the fastest that beats the reference beyond the noise, else the fastest."""
    sure = (one for one in rated if one.speedup and one.speedup.low and one.speedup.low > 1)
    return next(sure, rated[0])


def tied_with_best(results: Sequence[ModeResult], reference: str) -> tuple[ModeResult, ...]:
    """List the best mode and those that noise could put before it; the reference only if it may."""
    good = [one for one in results if one.speedup is not None]
    best = best_of(good)
    beaten = best.speedup is not None and not best.speedup.may_be_one
    return (
        best,
        *(
            one
            for one in good
            if one is not best
            and not (beaten and one.name == reference)
            and one.against_best is not None
            and one.against_best.may_be_one
        ),
    )


def checked(results: Sequence[ModeResult]) -> tuple[Checked, ...]:
    """Put every prediction beside what the mode that it speaks of really took."""
    found = []
    good = [one for one in results if one.trouble is None and one.walls_ns]
    for one in good:
        for foretold in one.report.predictions:
            others = [
                other for other in good if other.mode == foretold.what_if and _as_many(one, other)
            ]
            for other in others:
                measured = speed(other.walls_ns, one.walls_ns)
                found.append(
                    Checked(
                        one.name,
                        other.name,
                        foretold.speedup,
                        foretold.low,
                        foretold.high,
                        measured,
                        foretold.speedup / measured.factor - 1,
                        foretold.model_error,
                        foretold.assumptions,
                    )
                )
    return tuple(found)


def _as_many(one: ModeResult, other: ModeResult) -> bool:
    """Whether two modes were told to use as many workers."""
    first, second = (each.report.target.parameters.get("workers") for each in (one, other))
    return first == second
