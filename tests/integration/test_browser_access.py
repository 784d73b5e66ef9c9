"""The report for everybody: axe-core finds nothing, and the keys alone reach everything."""

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from concurtrace.model.report import Finding, Report, Severity
from tests import builders
from tests.browser import Opened, write_report

pytestmark = pytest.mark.browser
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


def full() -> Report:
    """A report in which every section has something to say."""
    finding = Finding(
        "lock-contention",
        Severity.WARNING,
        "Threads waited for a lock.",
        "One thread had it.",
        "Hold it for less long.",
        (f"{builders.FILE}:4 in fetch",),
        (0, 40_000_000),
        {"wait_ns": 40_000_000},
        gain_ns=10_000_000,
        also=("lock-convoy",),
    )
    part = Finding("lock-convoy", Severity.INFO, "They queued.", part_of="lock-contention")
    quiet = Finding("short-run", Severity.OK, "Nothing of the kind was found.")
    return replace(builders.everything(), findings=(finding, part, quiet), verdict="A lock.")


def violations(page: Page) -> list[str]:
    """Everything that axe-core has against a page, with where it is."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['impact']} {one['id']}: {one['help']}: {json.dumps(node['target'])}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = browser.new_page(viewport={"width": 1300, "height": 900})
    yield made
    made.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, tmp_path: Path, scheme: str) -> None:
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    Opened(page, write_report(tmp_path, full()))
    page.locator("canvas[data-ready]").wait_for()
    page.evaluate(UNFOLD)
    page.locator("#timeline-waits a").first.click()
    page.locator("#timeline-table tbody th").first.wait_for()
    assert violations(page) == []


def test_axe_would_find_something(page: Page, tmp_path: Path) -> None:
    Opened(page, write_report(tmp_path, builders.report()))
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [one.split(":")[0] for one in violations(page)] == ["critical button-name"]


def test_axe_finds_nothing_where_nothing_was_recorded(page: Page, tmp_path: Path) -> None:
    Opened(page, write_report(tmp_path, builders.report()))
    page.evaluate(UNFOLD)
    assert violations(page) == []


def test_axe_finds_nothing_on_a_narrow_screen(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    Opened(page, write_report(tmp_path, full()))
    page.locator("canvas[data-ready]").wait_for()
    assert violations(page) == []


def test_tab_reaches_everything_that_can_be_used(page: Page, tmp_path: Path) -> None:
    Opened(page, write_report(tmp_path, full()))
    page.locator("canvas[data-ready]").wait_for()
    expected = page.evaluate(
        """(usable) => {
          window.reached = new Set();
          document.addEventListener('focusin', ({ target }) => {
            if (target.matches(usable)) reached.add(target);
            const box = target.getBoundingClientRect();
            // What has the focus can be seen: it is inside the window.
            if (box.bottom < 0 || box.top > innerHeight) window.unseen = target.outerHTML;
          });
          return [...document.querySelectorAll(usable)]
            .filter((one) => one.checkVisibility() && !one.disabled).length;
        }""",
        "a[href], button, select, input, summary, canvas[tabindex]",
    )
    for _ in range(4 * expected):
        page.keyboard.press("Tab")
        if page.evaluate("reached.size") >= expected:
            break
    assert page.evaluate("reached.size") == expected
    assert page.evaluate("window.unseen ?? ''") == ""
