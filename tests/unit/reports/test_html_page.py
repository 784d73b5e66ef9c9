import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from concurtrace.reports import html
from concurtrace.reports._comparisons.html import RENDERER as OF_COMPARISONS
from concurtrace.reports.html import RENDERER
from concurtrace.reports.html.page import embed

from concurtrace.model.report import Report
from tests import builders
from tests.builders_comparison import comparison_of_all
from tests.builders_hostile import HOSTILE, hostile

PARTS = Path(html.__file__).parent
EMPTY_LIMIT = 150_000
VOID = {"meta", "link", "br", "input", "rect", "path"}


class Page(HTMLParser):
    """What a browser would make of a page: its tags in order, and the text of some of them."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.source = source
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text_of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    def shape(self) -> Counter[tuple[str, tuple[str, ...]]]:
        """The tags and the names of their attributes: all that a name must not change."""
        return Counter((tag, tuple(attributes)) for tag, attributes in self.tags)

    def blocks(self) -> dict[str, Any]:
        """The blocks of data, by id."""
        ids = [one["id"] for one in self.all("script") if one.get("type") == "application/json"]
        texts = [text for text in self.text_of("script") if text.startswith("{")]
        return {name: json.loads(text) for name, text in zip(ids, texts, strict=True)}


def page_of(report: Report) -> Page:
    """The page of a report, taken apart."""
    return Page(RENDERER.render(report))


WRITTEN = {
    "report": RENDERER.render(builders.everything()),
    "comparison": OF_COMPARISONS.render(comparison_of_all()),
}


@pytest.fixture(scope="module", params=WRITTEN)
def page(request: pytest.FixtureRequest) -> Page:
    return Page(WRITTEN[request.param])


def test_it_is_well_formed(page: Page) -> None:
    assert page.unbalanced == []
    assert page.open == []
    assert page.source.startswith("<!doctype html>")


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    # Those of a comparison to its modes' reports lead out of the page.
    links = [href for one in page.all("a") if not (href := one["href"]).startswith("modes/")]
    assert links
    assert {link.removeprefix("#").partition("?")[0] for link in links} <= set(ids)
    described = [
        attributes[name]
        for _, attributes in page.tags
        for name in ("aria-labelledby", "aria-describedby")
        if name in attributes
    ]
    assert set(described) <= set(ids)


def test_tables_are_tables(page: Page) -> None:
    tables = page.all("table")
    assert tables
    assert len(page.all("caption")) == len(tables)
    assert all(one.get("scope") in ("row", "col") for one in page.all("th"))


def test_there_is_one_heading_and_every_section_has_its_own(page: Page) -> None:
    assert len(page.all("h1")) == 1
    sections = page.all("section")
    assert len(page.all("h2")) == len(sections)
    linked = [one["href"] for one in page.all("a") if one.get("class") != "skip"]
    assert {f"#{one['id']}" for one in sections} <= set(linked)


def test_nothing_is_asked_of_the_network(page: Page) -> None:
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        assert tag not in ("iframe", "object", "embed", "base", "form", "img")
    assert [one["href"] for one in page.all("link")] == ["data:,"]
    assert "http:" not in page.source.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in page.source
    assert "@import" not in page.source
    assert "url(" not in page.source


def test_only_our_own_scripts_and_styles_are_allowed(page: Page) -> None:
    policies = [
        one["content"]
        for one in page.all("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    policy = policies[0]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none';")

    def hashes(texts: list[str]) -> set[str]:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        return {f"sha256-{base64.b64encode(digest).decode()}" for digest in digests}

    # What begins with a brace is JSON, and H4sI is how gzip begins in base64: data, not scripts.
    scripts = [text for text in page.text_of("script") if not text.startswith(("{", "H4sI"))]
    given = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert set(re.findall(r"'([^']+)'", given["script-src"])) == hashes(scripts)
    assert set(re.findall(r"'([^']+)'", given["style-src"])) == hashes(page.text_of("style"))


def test_no_attribute_needs_a_looser_policy(page: Page) -> None:
    names = {name for _, attributes in page.tags for name in attributes}
    assert "style" not in names
    assert not any(name.startswith("on") for name in names)


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_name_becomes_markup(kind: str) -> None:
    assert page_of(hostile(HOSTILE[kind])).shape() == PLAIN


PLAIN = page_of(hostile("plain")).shape()


@pytest.mark.parametrize("kind", HOSTILE)
def test_names_arrive_in_the_data_as_they_are(kind: str) -> None:
    blocks = page_of(hostile(HOSTILE[kind])).blocks()
    names = ("functions", "flame", "memory", "cores", "timeline", "waiting")
    data = {f"data-{name}" for name in names}
    assert set(blocks) == data
    name = blocks["data-flame"]["functions"][0][0]
    start = HOSTILE[kind][:3]
    assert name.startswith(start if start.isprintable() else "\\")


def test_embedded_data_hold_no_markup_and_come_back() -> None:
    data = {"a": "</script><!--&\u2028", "b": [1, None, {"c": 0.5}]}
    text = embed(data)
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == data | {"a": "</script><!--&\\u2028"}


def test_a_long_name_is_shortened() -> None:
    page = page_of(hostile("x" * 10_000))
    assert "x" * 1001 not in page.source
    assert len(page.source) < 2 * len(page_of(hostile("x")).source)


def test_a_drawing_is_never_shortened() -> None:
    series = builders.memory_series([n % 7 for n in range(2_000)], step=1)
    page = page_of(builders.report(recording=builders.memory(series)))
    drawings = [one["d"] for one in page.all("path") if one.get("class") == "area"]
    assert len(drawings[0]) > 2_000
    assert all(re.fullmatch(r"[MLZ0-9 ]+", drawing) for drawing in drawings)


def test_an_empty_report_is_small() -> None:
    assert len(RENDERER.render(builders.report()).encode()) <= EMPTY_LIMIT


def test_no_template_trusts_what_it_shows() -> None:
    templates = sorted((PARTS / "templates").rglob("*.j2"))
    assert templates
    for template in templates:
        text = template.read_text("utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup", text), template
        # An attribute without quotes could be left by a space.
        assert not re.search(r"=\s*\{\{", text), template


def test_no_script_makes_markup() -> None:
    scripts = sorted((PARTS / "static" / "js").glob("*.js"))
    assert scripts
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
    for script in scripts:
        assert not re.search(forbidden, script.read_text("utf-8")), script
        assert not re.search(r"fetch\(|XMLHttpRequest|import\(", script.read_text("utf-8")), script


def test_every_asset_and_template_is_used() -> None:
    shown = {"page.html.j2", "macros.html.j2"}
    anchors = {one["id"] for source in WRITTEN.values() for one in Page(source).all("section")}
    files = {path.name for path in (PARTS / "templates").rglob("*.j2")}
    assert files == shown | {f"{anchor}.html.j2" for anchor in anchors}


def test_a_template_never_shows_none() -> None:
    given = builders.report()
    broken = replace(given.environment, python=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="None"):
        RENDERER.render(replace(given, environment=broken))
