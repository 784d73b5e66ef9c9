"""What changed between two runs, and what of it counts as a regression."""

import json
from dataclasses import replace

import jsonschema
import pytest

from concurtrace import discovery
from concurtrace.analysis.difference import difference, regressions
from concurtrace.analysis.speed import unpaired_speed
from concurtrace.discovery import Kind
from concurtrace.model.difference import Difference
from concurtrace.model.report import Finding, Report, Severity
from reports.json_ import SCHEMA
from tests import builders
from tests.builders_hostile import HOSTILE, hostile

WARNING = Finding("gil-saturation", Severity.WARNING, "The GIL was held.")
HINT = Finding("idle-cores", Severity.INFO, "Cores were idle.")
PART = replace(HINT, rule="negative-scaling", part_of="gil-saturation")


def run(*walls: float, findings: tuple[Finding, ...] = (), **changes: object) -> Report:
    made = builders.report(builders.one_pass("baseline", *walls), **changes)  # type: ignore[arg-type]
    return replace(made, findings=findings)


def render(name: str, given: Difference) -> str:
    return str(discovery.load(Kind.DIFFERENCE, name).RENDERER.render(given))


def test_times_of_different_moments_are_compared_without_rounds() -> None:
    found = unpaired_speed((100, 101, 102), (204, 202, 200))
    assert found.factor == pytest.approx(2, rel=1e-3)
    assert found.low is not None
    assert 1.9 < found.low < 2 < (found.high or 0) < 2.1
    # The other order of one side's times changes nothing.
    assert unpaired_speed((102, 100, 101), (200, 204, 202)) == found
    assert unpaired_speed((100,), (200, 210)).low is None


def test_slower_beyond_the_noise_is_a_regression() -> None:
    found = difference(run(100, 101, 102), run(200, 201, 202))
    assert "slower: 201 ms instead of 101 ms" in found.verdict
    (said,) = regressions(found, 0.5, warnings=False)
    assert "1.99 times as long" in said
    assert regressions(found, 1.5, warnings=False) == ()
    assert regressions(found, None, warnings=True) == ()


def test_slower_within_the_noise_is_none() -> None:
    found = difference(run(100, 150, 60), run(110, 140, 80))
    assert found.verdict.startswith("No difference beyond the noise")
    assert regressions(found, 0.0, warnings=False) == ()


def test_one_execution_tells_no_noise() -> None:
    assert "with one execution on a side" in difference(run(100), run(200)).verdict


def test_findings_come_go_and_stay() -> None:
    found = difference(run(100, findings=(HINT, PART)), run(100, findings=(HINT, WARNING)))
    assert [one.rule for one in found.new] == ["gil-saturation"]
    assert (found.gone, found.kept) == ((), ("idle-cores",))
    assert regressions(found, None, warnings=True) == (
        "new warning gil-saturation: The GIL was held.",
    )


def test_other_circumstances_are_named() -> None:
    before = run(100, target=builders.workload(mode="threads", size=1))
    after = run(100, target=builders.workload(mode="async", size=2))
    assert difference(before, after).conditions == (
        "mode: threads became async",
        "parameter size: 1 became 2",
    )


def test_what_changed_most_comes_first() -> None:
    old = builders.report(
        recording=builders.functions(builders.function_table({"a": (1, 10, 10), "b": (1, 90, 90)}))
    )
    new = builders.report(
        recording=builders.functions(builders.function_table({"a": (1, 15, 15), "c": (1, 60, 60)}))
    )
    names = [one.name for one in difference(old, new).functions]
    assert names == ["b (crawl.py)", "c (crawl.py)", "a (crawl.py)"]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(difference(run(100), builders.everything()), id="everything"),
        pytest.param(
            difference(run(100), builders.report(builders.not_done("baseline", "no"))), id="nothing"
        ),
    ],
)
def test_every_format_tells_it(given: Difference) -> None:
    assert render("terminal", given).startswith(given.verdict[:20])
    schema = json.loads(SCHEMA.read_text("utf-8"))
    root = {"$ref": "#/$defs/difference", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator(root).validate(json.loads(render("json", given)))


@pytest.mark.parametrize("kind", HOSTILE)
def test_any_name_is_shown_safely(kind: str) -> None:
    text = HOSTILE[kind]
    given = difference(run(100), hostile(text))
    for name in discovery.modules(Kind.DIFFERENCE):
        shown = render(name, given)
        assert "\x1b" not in shown
        assert shown.encode()
