"""A difference as JSON, format 1: ``difference`` in ``schema.json``."""

import json
from dataclasses import asdict
from typing import Any

from concurtrace.model.difference import Change, Difference
from concurtrace.model.report import FORMAT_NAME, FORMAT_VERSION, Finding

from ..json_ import printable_values

Object = dict[str, Any]


class Json:
    """JSON; what was not recorded is null. Times in ns."""

    name = "json"
    suffix = ".json"

    def render(self, difference: Difference) -> str:
        """Write the difference as one JSON object."""
        one = difference
        written = {
            "format": {"name": FORMAT_NAME, "version": FORMAT_VERSION},
            "difference": {
                "before": one.before,
                "after": one.after,
                "verdict": one.verdict,
                "speedup": asdict(one.speedup) if one.speedup else None,
                "conditions": one.conditions,
                "figures": [_change(each) for each in one.figures],
                "states": [_change(each) for each in one.states],
                "functions": [_change(each) for each in one.functions],
                "locks": [_change(each) for each in one.locks],
                "new_findings": [_finding(each) for each in one.new],
                "gone_findings": [_finding(each) for each in one.gone],
                "kept_findings": one.kept,
            },
        }
        return json.dumps(printable_values(written), indent=1, ensure_ascii=False)


def _change(one: Change) -> Object:
    return {"name": one.name, "before": one.before, "after": one.after, "unit": one.unit.value}


def _finding(one: Finding) -> Object:
    return {"rule": one.rule, "severity": one.severity.value, "summary": one.summary}


RENDERER = Json()
