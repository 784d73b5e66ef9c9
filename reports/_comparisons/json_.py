"""A comparison as JSON, format 1: ``comparison`` in ``schema.json``."""

import json
from dataclasses import asdict
from typing import Any

from concurtrace.model.comparison import Checked, Comparison, Ledger, ModeResult, Scaling, Speed
from concurtrace.model.report import FORMAT_NAME, FORMAT_VERSION

from ..json_ import document, printable_values

Object = dict[str, Any]


class Json:
    """JSON; what was not measured is null. Times in ns."""

    name = "json"
    suffix = ".json"

    def render(self, comparison: Comparison) -> str:
        """Write the comparison as one JSON object, with the whole report of every mode."""
        written = {
            "format": {"name": FORMAT_NAME, "version": FORMAT_VERSION},
            "comparison": _comparison(comparison),
        }
        return json.dumps(printable_values(written), indent=1, ensure_ascii=False)


def _comparison(one: Comparison) -> Object:
    return {
        "run": one.run,
        "started_at": one.started_at,
        "workload": one.workload,
        "parameters": dict(one.parameters),
        "reference": one.reference,
        "rounds": one.rounds,
        "interrupted": one.interrupted,
        "modes": [_mode(mode) for mode in one.modes],
        "verdict": one.verdict,
        "predictions": [_checked(each) for each in one.predictions],
        "scaling": [_scaling(each) for each in one.scaling],
        "notes": one.notes,
    }


def _mode(one: ModeResult) -> Object:
    return {
        "mode": one.mode,
        "workers": one.workers,
        "wall_ns": one.wall_ns if one.walls_ns else None,
        "walls_ns": one.walls_ns,
        **_speed(one.speedup, "speedup"),
        "against_best": _speed(one.against_best, "factor"),
        "ledger": _ledger(one.ledger),
        "trouble": one.trouble,
        "folder": one.folder,
        "report": document(one.report),
    }


def _speed(one: Speed | None, name: str) -> Object:
    if one is None:
        return {name: None, "low": None, "high": None}
    return {name: one.factor, "low": one.low, "high": one.high}


def _ledger(one: Ledger | None) -> Object | None:
    if one is None:
        return None
    spent = {post.name.lower(): ns for post, ns in one.spent.items()}
    return {"wall_ns": one.wall_ns, "cores": one.cores, "spent_ns": spent}


def _checked(one: Checked) -> Object:
    return {
        "from": one.from_mode,
        "to": one.to_mode,
        "predicted": one.predicted,
        "low": one.low,
        "high": one.high,
        "measured": one.measured.factor,
        "measured_low": one.measured.low,
        "measured_high": one.measured.high,
        "error": one.error,
        "model_error": one.model_error,
        "assumptions": one.assumptions,
    }


def _scaling(one: Scaling) -> Object:
    return {
        "mode": one.mode,
        "points": [
            {
                "workers": point.workers,
                "wall_ns": point.wall_ns,
                **_speed(point.speedup, "speedup"),
                "serial": point.serial,
                "fitted": point.fitted,
                "error": point.error,
            }
            for point in one.points
        ],
        "amdahl_serial": one.amdahl_serial,
        "contention": one.contention,
        "coherency": one.coherency,
        "best": one.best,
        "foretold": [asdict(each) for each in one.foretold],
        "sentence": one.sentence,
    }


RENDERER = Json()
