"""Views made by Python alone, in a real browser: they lead to their evidence and fit the screen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests import builders
from tests.browser import Opened, write_report

pytestmark = pytest.mark.browser
VIEWS = ("processes", "gil", "blocking", "source", "cores", "memory", "parallelism", "tasks")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = browser.new_page(viewport={"width": 1300, "height": 900})
    yield made
    made.close()


def test_every_show_leads_to_its_evidence_in_the_timeline(page: Page, tmp_path: Path) -> None:
    opened = Opened(page, write_report(tmp_path, builders.everything()))
    page.locator("canvas[data-ready]").wait_for()
    running = "MainThread in fetch (100): running Python for 40.0 ms"
    waiting = "Worker-1 in fetch (100): waiting for a lock for 40.0 ms"
    for view, shown in (
        ("processes", running),
        ("locks", waiting),
        ("gil", running),
        ("blocking", waiting),
    ):
        page.locator(f"#{view} a[href^='#timeline?']").first.click()
        page.locator("#timeline-panel strong").get_by_text(shown).wait_for()
    opened.is_quiet()


def test_lines_to_blame_and_rules_lead_to_the_source(page: Page, tmp_path: Path) -> None:
    Opened(page, write_report(tmp_path, builders.everything()))
    link = page.locator("#gil a[href^='#line-']").first
    anchor = (link.get_attribute("href") or "")[1:]
    page.evaluate("document.querySelectorAll('#source details').forEach((one) => one.open = false)")
    link.click()
    row = page.locator(f"tr[id='{anchor}']")
    row.wait_for()
    assert "download" in row.inner_text()


@pytest.mark.parametrize("width", [360, 1300])
def test_no_view_is_wider_than_the_screen(page: Page, tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    Opened(page, write_report(tmp_path, builders.everything()))
    for view in VIEWS:
        box = page.locator(f"#{view}").bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width, view
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_view_reads_without_scripts(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(write_report(tmp_path, builders.everything()).as_uri())
    for view in VIEWS:
        assert page.locator(f"#{view} .answer").is_visible(), view
    assert page.locator("#blocking .graph").count() == 2
    assert page.locator("#blocking .graph .strong").first.is_visible()
    assert page.locator("#processes .waterfall svg").count() == 2
    # What needs scripts is not offered.
    assert not page.locator("#processes a[href^='#timeline']").first.is_visible()
    page.close()
