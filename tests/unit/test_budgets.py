"""Budgets: figures by their path, limits on either side, and what was not recorded."""

from typing import Any

import pytest

from concurtrace.commands._budgets import Bound, findings_over, look_up, parse_budget
from concurtrace.errors import UsageError

DOCUMENT: dict[str, Any] = {
    "wall_ns": 1_500_000_000,
    "gil": {"held": 0.75},
    "locks": None,
    "verdict": "fine",
    "comparison": {"modes": [{"mode": "threads", "speedup": 0.9}, {"mode": "async"}]},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("gil.held", 0.75),
        ("comparison.modes.threads.speedup", 0.9),
        ("comparison.modes.0.speedup", 0.9),
        ("locks.0.wait_ns", None),
    ],
)
def test_a_path_leads_to_a_figure(path: str, expected: float | None) -> None:
    assert look_up(DOCUMENT, path) == expected


@pytest.mark.parametrize("path", ["gli.held", "comparison.modes.processes.speedup", "wall_ns.x"])
def test_a_path_that_leads_nowhere_is_wrong_usage(path: str) -> None:
    with pytest.raises(UsageError, match="--format json"):
        look_up(DOCUMENT, path)


@pytest.mark.parametrize(
    ("given", "bound", "told"),
    [
        ("wall_ns=2e9", Bound.MAX, None),
        ("wall_ns=1e9", Bound.MAX, "wall_ns is 1.5e+09, and at most 1e+09 is allowed"),
        ("gil.held=0.75", Bound.MAX, None),
        ("comparison.modes.threads.speedup=1.5", Bound.MIN, "is 0.9, and at least 1.5 is allowed"),
        ("locks.0.wait_ns=5", Bound.MAX, "was not recorded"),
    ],
)
def test_a_figure_keeps_to_its_limit_or_not(given: str, bound: Bound, told: str | None) -> None:
    said = parse_budget(given, bound).exceeded(DOCUMENT)
    assert (said is None) == (told is None)
    assert told is None or told in (said or "")


@pytest.mark.parametrize("given", ["wall_ns", "=3", "wall_ns=fast"])
def test_a_limit_is_a_number(given: str) -> None:
    with pytest.raises(UsageError, match="PATH=NUMBER"):
        parse_budget(given, Bound.MAX)


def test_what_is_no_number_has_no_limit() -> None:
    with pytest.raises(UsageError, match="is no number"):
        parse_budget("verdict=3", Bound.MAX).exceeded(DOCUMENT)


def test_findings_are_counted_by_story() -> None:
    warned = {"rule": "gil-saturation", "severity": "warning", "part_of": None}
    part = {"rule": "gil-convoy", "severity": "warning", "part_of": "gil-saturation"}
    assert findings_over([warned, part], "warning=1") is None
    assert "gil-saturation" in (findings_over([warned, part], "warning=0") or "")
    with pytest.raises(UsageError, match="--max-findings"):
        findings_over([], "bad=1")
