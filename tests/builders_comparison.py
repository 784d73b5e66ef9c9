"""Make a comparison in a sentence: modes with their times, as they come out of the analysis."""

from collections.abc import Mapping

from concurtrace.analysis.comparison import checked, ranked
from concurtrace.analysis.scaling import scaling
from concurtrace.diagnosis.comparison import comparison_verdict
from concurtrace.model.comparison import (
    Checked,
    Comparison,
    Ledger,
    ModeResult,
    Speed,
    Spent,
)
from tests import builders

MS = 1_000_000


def mode(
    name: str, *walls_ms: float, trouble: str | None = None, workers: int | None = None
) -> ModeResult:
    """A mode with a time per round, and a ledger that knows every post."""
    spent = {post: (place + 1) * MS for place, post in enumerate(Spent)}
    whole = sum(spent.values())
    course = {post: (ns // 2, ns - ns // 2) for post, ns in spent.items()}
    return ModeResult(
        name,
        workers,
        f"modes/{name}",
        builders.report(builders.one_pass("baseline", *walls_ms or (1,))),
        tuple(round(ms * MS) for ms in walls_ms),
        None,
        None,
        Ledger(whole // 2, 2, spent, course) if walls_ms else None,
        trouble,
    )


def comparison(*modes: ModeResult, name: str = "factorize", **changes: object) -> Comparison:
    """A comparison of modes against the first."""
    given = modes or (mode("sequential", 200, 210), mode("threads", 190, 230), mode("broken"))
    reference = given[0].name
    results = ranked(given, reference)
    walls: dict[str, dict[int, tuple[int, ...]]] = {}
    for one in given:
        if one.workers is not None:
            walls.setdefault(one.mode, {})[one.workers] = one.walls_ns
    found: Mapping[str, object] = {
        "run": "20261122-155051-factorize-compare",
        "run_path": "/srv/shop/.concurtrace/runs/20261122-155051-factorize-compare",
        "started_at": "2026-11-22T15:50:51+00:00",
        "workload": name,
        "parameters": {"size": 120},
        "environment": builders.environment(),
        "reference": reference,
        "rounds": max(1, len(given[0].walls_ns)),
        "interrupted": False,
        "modes": results,
        "verdict": comparison_verdict(results, reference),
        "predictions": checked(results),
        "scaling": tuple(law for m, w in walls.items() if (law := scaling(m, w, 2))),
        "notes": ("gevent: it is not installed",),
    }
    return Comparison(**{**found, **changes})  # type: ignore[arg-type]


def comparison_of_all() -> Comparison:
    """A comparison with every section: workers that were varied, and a prediction."""
    sweep = tuple(mode("threads", 100 / n, 101 / n, workers=n) for n in (1, 2, 4, 8))
    foretold = Checked("a", "b", 2.0, 1.8, 2.2, Speed(1.9, None, None), 0.05, 0.01, ("alone",))
    return comparison(*sweep, predictions=(foretold,))
