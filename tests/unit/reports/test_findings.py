"""Findings on the terminal, in the page and in JSON."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
from concurtrace.reports.html.sections import findings
from concurtrace.reports.html.sections.source import line_anchor

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.model.report import Finding, PathStep, Prediction, Report, Severity
from concurtrace.model.states import State
from tests import builders
from tests.builders_hostile import HOSTILE
from tests.unit.reports.test_html_page import page_of

SCHEMA = json.loads(Path("reports/schema.json").read_bytes())
FINDINGS = (
    Finding(
        "gil-saturation",
        Severity.WARNING,
        "The GIL was held 97 % of the time.",
        "Eight threads waited.",
        "Use processes. Or not.",
        ("/srv/shop/crawl.py:8 in parse",),
        (1_000_000, 90_000_000),
        {"held": 0.97, "wait_ns": 11_200_000_000, "threads": 8},
        Prediction("processes", 1.9, 1.7, 2.1, ("tasks are independent",), 0.03),
        gain_ns=50_000_000,
        also=("idle-cores",),
    ),
    Finding("short-run", Severity.INFO, "It took 0.1 s."),
    Finding("idle-cores", Severity.INFO, "One core was idle.", part_of="gil-saturation"),
    Finding("broken", Severity.FAILED, "The rule itself failed: KeyError: 1"),
    Finding("lock-convoy", Severity.OK, "No lock was waited for."),
)


def told(**changes: object) -> Report:
    given = replace(
        builders.everything(),
        findings=FINDINGS,
        verdict="The GIL was held 97 % of the time. What to try: Use processes.",
        critical_path=(PathStep(State.RUNNING, 100, "crawl.py:8 in parse", 5),),
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def render(name: str, report: Report) -> str:
    made = discovery.load(Kind.RENDERER, name).RENDERER.render(report)
    assert isinstance(made, str)
    return made


def test_the_terminal_tells_the_verdict_before_any_figure() -> None:
    text = render("terminal", told())
    verdict, ran = text.index("held 97 %"), text.index("ran on")
    assert verdict < ran
    assert "WARNING gil-saturation" in text
    assert "at crawl.py:8 in parse" in text
    assert "the same story: idle-cores" in text
    assert "One core was idle" not in text
    assert "FAILED" in text


def test_the_page_tells_findings_with_proof_parts_and_the_rest() -> None:
    page = render("html", told())
    shown = ("11.2 s", "One core was idle.", "KeyError", "1.9", "tasks are independent", "50.0 ms")
    assert [text for text in shown if text not in page] == []
    assert page.index('id="findings"') < page.index('id="passes"')


def test_the_run_in_other_models_is_told_with_its_range() -> None:
    foretold = Prediction("async", 1.25, 1.1, 1.4, ("all can be awaited",), -0.02)
    given = told(predictions=(foretold,))
    said = "async: 1.25 times as fast (1.10 to 1.40; the model replays the measured run 2.0 % off)"
    terminal = " ".join(render("terminal", given).split())
    assert f"{said}, given 1" in terminal
    assert "given that (1) all can be awaited" in terminal
    assert f"{said}, if all can be awaited" in render("html", given)
    assert json.loads(render("json", given))["predictions"][0]["what_if"] == "async"


def test_a_finding_leads_to_its_moment_its_lines_and_its_figures() -> None:
    page = page_of(told())
    links = {one["href"] for one in page.all("a") if "href" in one}
    assert "#timeline?t0=1000000&t1=90000000" in links
    assert "#gil" in links
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    # A place that is not among the lines that were watched is told, but is no link.
    assert {one for one in links if one.startswith("#line-")} <= {f"#{one}" for one in ids}
    known = told(findings=(replace(FINDINGS[0], where=(f"{builders.FILE}:4 in fetch",)),))
    assert render("html", known).count(f'href="#{line_anchor(builders.FILE, 4)}"') == 4


def test_json_has_findings_verdict_and_critical_path_as_the_schema_says() -> None:
    document = json.loads(render("json", told()))
    jsonschema.validate(document, SCHEMA)
    assert document["verdict"].startswith("The GIL was held")
    assert document["findings"][0]["gain_ns"] == 50_000_000
    assert document["findings"][2]["part_of"] == "gil-saturation"
    assert document["critical_path"][0]["state"] == "RUNNING"


def test_without_findings_it_is_said_how_to_get_them() -> None:
    assert "--with baseline,states" in render("html", builders.report())


def test_a_hostile_finding_is_shown_and_never_obeyed() -> None:
    for name in HOSTILE.values():
        bad = replace(FINDINGS[0], summary=name, where=(name,), evidence={"x": name}, remedy=name)
        for renderer in discovery.modules(Kind.RENDERER):
            given = told(findings=(bad,), verdict=name)
            made = discovery.load(Kind.RENDERER, renderer).RENDERER.render(given)
            # Binary formats have any byte; their names are judged by the contract of renderers.
            assert not isinstance(made, str) or "\x1b" not in made
            assert renderer != "html" or "<script>alert" not in made


def test_every_rule_leads_to_the_section_that_has_its_figures() -> None:
    sections = {one["id"] for one in page_of(builders.everything()).all("section")}
    page = page_of(
        replace(
            builders.everything(),
            findings=tuple(
                Finding(rule, Severity.INFO, rule) for rule in discovery.modules(Kind.RULE)
            ),
        )
    )
    links = [one["href"][1:] for one in page.all("a") if one.get("href", "").startswith("#")]
    assert {one.partition("?")[0] for one in links if not one.startswith(("line-", "in-"))} <= (
        sections
    )
    for rule, section in (
        ("oversubscription", "cores"),
        ("lock-contention", "locks"),
        ("spawn-cost", "processes"),
        ("lock-order-inversion", "blocking"),
        ("load-imbalance", "parallelism"),
        ("unoverlapped-io", "waiting"),
        ("sequential-awaits", "tasks"),
        ("lost-update", "states"),
        ("gil-convoy", "gil"),
    ):
        finding = Finding(rule, Severity.INFO, rule)
        shown = findings.build(replace(builders.everything(), findings=(finding,))).view
        assert isinstance(shown, findings.View)
        assert shown.stories[0].head.proof.href == f"#{section}", rule
