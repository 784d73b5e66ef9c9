"""How a mode scales with its workers: Amdahl, Gunther and Karp and Flatt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from concurtrace.analysis.speed import speed
from concurtrace.model.comparison import Foretold, Scaling, ScalingPoint, Speed
from concurtrace.units import share_text, significant

FEWEST = 2
USL_FEWEST = 4
"""Points: with fewer the two costs of the universal law cannot be told apart."""
REACH = 2
"""Never foretell more than so many times the workers that were measured."""
LEAST_ERROR = 0.03
"""Two runs of one program differ by a few percent on a quiet machine: no range is narrower."""
FLAT = 0.05
"""More workers that bring less are not worth their memory."""

Law = Callable[[float], float]


def karp_flatt(speedup: float, workers: float) -> float | None:
    """Return the experimentally determined serial fraction (Karp and Flatt 1990)."""
    if workers <= 1 or speedup <= 0:
        return None
    return (1 / speedup - 1 / workers) / (1 - 1 / workers)


def amdahl(serial: float, cores: float) -> Law:
    """Make Amdahl's law for work of which a part is serial, on so many cores at most."""
    return lambda workers: 1 / (serial + (1 - serial) / min(workers, cores))


def usl(contention: float, coherency: float, cores: float) -> Law:
    """Make Gunther's universal scalability law; cores beyond the last bring nothing."""

    def law(workers: float) -> float:
        used = min(workers, cores)
        return used / (1 + contention * (used - 1) + coherency * workers * (workers - 1))

    return law


def fit_amdahl(speedups: Mapping[int, float], cores: float) -> float:
    """Fit the serial fraction by least squares of the times; 0 to 1."""
    # Times are linear in it: 1/S = s + (1 - s) / p.
    rows = [(1 - 1 / min(p, cores), 1 / s - 1 / min(p, cores)) for p, s in speedups.items()]
    squares = sum(x * x for x, _ in rows)
    return min(1.0, max(0.0, sum(x * y for x, y in rows) / squares)) if squares else 0.0


def fit_usl(speedups: Mapping[int, float], cores: float) -> tuple[float, float]:
    """Fit both costs of the universal law by least squares, neither below 0."""
    used = np.array([min(p, cores) for p in speedups])
    many = np.array(list(speedups), float)
    given = np.array(list(speedups.values()))
    # Linear in both: used / S - 1 = contention * (used - 1) + coherency * p * (p - 1).
    matrix = np.stack((used - 1, many * (many - 1)), axis=1)
    wanted = used / given - 1
    solution, *_ = np.linalg.lstsq(matrix, wanted, rcond=None)
    contention, coherency = map(float, solution)
    if contention < 0:
        contention, coherency = 0.0, _alone(matrix[:, 1], wanted)
    elif coherency < 0:
        contention, coherency = _alone(matrix[:, 0], wanted), 0.0
    return contention, coherency


def _alone(column: np.ndarray, wanted: np.ndarray) -> float:
    squares = float(column @ column)
    return max(0.0, float(column @ wanted) / squares) if squares else 0.0


def fitted_law(speedups: Mapping[int, float], cores: float) -> Law:
    """Choose a law for some points: the universal one where there are enough."""
    limit = _width(speedups, cores)
    if len(speedups) >= USL_FEWEST:
        return usl(*fit_usl(speedups, limit), limit)
    return amdahl(fit_amdahl(speedups, limit), limit)


def _width(speedups: Mapping[int, float], cores: float) -> float:
    """Say how many workers can be at work at once: as cores, or more for work that waits."""
    return cores if max(speedups.values()) <= cores * 1.1 else math.inf


def scaling(mode: str, walls_ns: Mapping[int, Sequence[int]], cores: float) -> Scaling | None:
    """Judge how times fall with the number of workers; None with fewer than two numbers."""
    if len(walls_ns) < FEWEST:
        return None
    ordered = dict(sorted(walls_ns.items()))
    fewest = next(iter(ordered))
    # A law speaks of one worker: where none was measured, the fewest are taken as perfect.
    speeds = {p: _times(speed(walls, ordered[fewest]), fewest) for p, walls in ordered.items()}
    factors = {p: one.factor for p, one in speeds.items()}
    limit = _width(factors, cores)
    law = fitted_law(factors, cores)
    costs = fit_usl(factors, limit) if len(factors) >= USL_FEWEST else None
    points = tuple(_point(p, ordered[p], speeds[p], factors, cores) for p in ordered)
    most = max(ordered) * REACH
    best = next(p for p in range(1, most + 1) if law(p) * (1 + FLAT) >= _peak(law, most))
    ahead = sorted({p for p in (*ordered, best, most, max(ordered) + 1) if p <= most})
    serial = fit_amdahl(factors, limit)
    of_rounds = _laws_of_rounds(ordered, cores)
    return Scaling(
        mode,
        points,
        serial,
        costs[0] if costs else None,
        costs[1] if costs else None,
        best,
        tuple(_foretold(p, law, of_rounds, points) for p in ahead),
        _sentence(mode, points, (serial, limit), best, law),
    )


def _laws_of_rounds(walls_ns: Mapping[int, Sequence[int]], cores: float) -> tuple[Law, ...]:
    """Fit a law to each round by itself."""
    fewest, laws = min(walls_ns), []
    for times in zip(*walls_ns.values(), strict=False):
        one = dict(zip(walls_ns, times, strict=True))
        laws.append(fitted_law({p: fewest * one[fewest] / ns for p, ns in one.items()}, cores))
    return tuple(laws)


def _foretold(
    workers: int, law: Law, of_rounds: tuple[Law, ...], points: tuple[ScalingPoint, ...]
) -> Foretold:
    said = [law(workers), *(one(workers) for one in of_rounds)]
    errors = [abs(one.error) for one in points if one.error is not None]
    spread = 1 + max([LEAST_ERROR, *errors])
    return Foretold(workers, law(workers), min(said) / spread, max(said) * spread)


def _peak(law: Law, most: int) -> float:
    return max(law(p) for p in range(1, most + 1))


def _times(one: Speed, by: int) -> Speed:
    low = None if one.low is None else one.low * by
    return Speed(one.factor * by, low, None if one.high is None else one.high * by)


def _point(
    workers: int, walls: Sequence[int], found: Speed, factors: Mapping[int, float], cores: float
) -> ScalingPoint:
    others = {p: s for p, s in factors.items() if p != workers}
    # Every law gives the fewest what they have: that would be no test of it.
    tested = len(others) >= FEWEST and workers != min(factors)
    fitted = fitted_law(others, cores)(workers) if tested else None
    return ScalingPoint(
        workers,
        round(float(np.median(walls))),
        found,
        karp_flatt(found.factor, workers),
        fitted,
        fitted / found.factor - 1 if fitted is not None else None,
    )


def _sentence(
    mode: str,
    points: tuple[ScalingPoint, ...],
    limits: tuple[float, float],
    best: int,
    law: Law,
) -> str:
    serial, limit = limits
    fractions = [one.serial for one in points if one.serial is not None]
    rising = len(fractions) >= 2 and fractions[-1] > fractions[0] + FLAT
    why = (
        "each worker more costs more: they get into each other's way"
        if rising
        else f"about {share_text(serial)} of the work is done by one at a time"
    )
    if serial < FLAT:
        why = "nothing but the number of cores limits it"
        if math.isinf(limit):
            why = "nothing limits it as far as was measured"
    workers = "1 worker" if best == 1 else f"{best} workers"
    return f"{mode}: best with {workers}, {significant(law(best))} times as fast as one; {why}."
