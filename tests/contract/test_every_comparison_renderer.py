"""What holds for every renderer of comparisons."""

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.model.comparison import Checked, Comparison, Speed
from reports.json_ import SCHEMA
from tests.builders_comparison import comparison, comparison_of_all, mode
from tests.builders_hostile import HOSTILE

NAMES = list(discovery.modules(Kind.COMPARISON))
GIVEN = {
    "tie and trouble": comparison(),
    "one round": comparison(mode("sequential", 200), mode("threads", 100)),
    "workers and predictions": comparison_of_all(),
    "nothing came to its end": comparison(mode("sequential", trouble="it was killed")),
    "interrupted": comparison(interrupted=True),
}


def render(name: str, given: Comparison) -> str:
    rendered = discovery.load(Kind.COMPARISON, name).RENDERER.render(given)
    return rendered if isinstance(rendered, str) else bytes(rendered).decode()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    module = discovery.load(Kind.COMPARISON, name)
    assert module.__doc__
    assert module.RENDERER.name == name


def test_every_format_of_the_contract_is_there() -> None:
    assert {"terminal", "json", "html"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_it_renders_whatever_came_of_it(name: str, given: Comparison) -> None:
    once = render(name, given)
    assert given.verdict.split()[0] in once
    assert render(name, given) == once


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", HOSTILE)
def test_it_renders_any_name(name: str, kind: str) -> None:
    text = HOSTILE[kind]
    given = comparison(mode(text, 200, 210), mode("threads", 100, trouble=text), name=text)
    written = render(name, replace(given, notes=(text,)))
    assert "\x1b" not in written
    assert "<script>alert" not in written or name != "html"
    written.encode()


def test_modes_lie_over_time_on_one_scale() -> None:
    page = render("html", comparison(mode("sequential", 200), mode("threads", 100)))
    assert "all modes on one scale" in page
    (box,) = set(
        re.findall(r'sequential over time.*?class="state running" d="([^"]+)"', page, re.S)
    )
    # Two columns, each half of the width; the first post stands on the ground.
    assert re.findall(r"M(\d+) \d+H(\d+)V40", box) == [("0", "500"), ("500", "1000")]


@pytest.mark.parametrize("name", ["terminal", "html"])
def test_a_prediction_stands_beside_its_measurement_with_what_it_assumes(name: str) -> None:
    one = Checked("threads with 4", "processes with 4", 2, 1.8, 2.2, Speed(1.9, 1.8, 2.0), 0.05,
                  -0.013, ("alone", "forked"))  # fmt: skip
    text = " ".join(render(name, comparison(predictions=(one,))).split())
    shown = ("threads to processes with 4", "1.80 to 2.20", "+5 %", "-1", "alone", "forked")
    assert [part for part in shown if part not in text] == []


def test_a_prediction_within_the_noise_of_its_measurement_is_told_apart() -> None:
    held = Checked("a", "b", 2, 1.8, 2.2, Speed(1.9, 1.8, 2.0), 0.05, 0.0, ())
    noisy = replace(held, measured=Speed(1.0, 0.4, 2.5), error=1.0)
    missed = replace(held, measured=Speed(1.0, 0.9, 1.1), error=1.0)
    said = "1 of 3 predictions hold what was measured within their range, 1 more are within its"
    given = comparison(predictions=(held, noisy, missed))
    assert said in " ".join(render("html", given).split())


@pytest.mark.parametrize("name", ["terminal", "html"])
def test_more_workers_that_are_slower_are_no_serial_part_above_one(name: str) -> None:
    slower = comparison(mode("threads", 100, 101, workers=1), mode("threads", 150, 151, workers=2))
    assert "over 100 %" in render(name, slower)


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_json_follows_the_schema(given: Comparison) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    written = json.loads(render("json", given))
    # A report refers to the root of the schema, which here is not that of a report.
    reports = [one.pop("report") for one in written["comparison"]["modes"]]
    compared = schema["$defs"]["compared_mode"]
    compared["required"].remove("report")
    root = {"$ref": "#/$defs/comparison", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator(root).validate(written)
    for report in reports:
        jsonschema.Draft202012Validator(schema).validate(report)


def test_text_for_people_shows_home_as_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: cls("/home/somebody")))
    place = "cannot write /home/somebody/full: no space"
    given = comparison(mode("sequential", 200, trouble=place), notes=(place,), verdict=place)
    for name in NAMES:
        # JSON is for programs, which need the paths as they are.
        assert ("/home/somebody" in render(name, given)) == (name == "json")
