"""Lanes of tasks in a real browser: the line that was awaited, and who ended the wait."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from concurtrace.model.recording import Recording
from tests import builders
from tests.browser import Opened, write_report
from tests.builders import one_pass, with_states
from tests.builders_tasks import task_trace
from tests.builders_trace import MS, trace

pytestmark = pytest.mark.browser


def test_a_wait_of_a_task_tells_its_line_and_leads_to_who_ended_it(
    browser: Browser, tmp_path: Path
) -> None:
    made = trace().thread("MainThread").running(40).build()
    recording = Recording(trace=made, tasks=task_trace(made.start_ns))
    light = one_pass("light", 110, instruments=("states", "tasks"))
    report = with_states(replace(builders.report(light), recording=recording))
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    file = write_report(tmp_path, report)
    opened = Opened(page, file)
    page.goto(f"{file.as_uri()}#timeline?t0=0&t1={40 * MS}&lane=1&at={3 * MS}")
    page.reload()
    page.locator("canvas[data-ready]").wait_for()
    panel = page.locator("#timeline-panel")
    said = panel.locator("strong").inner_text()
    assert said.startswith("talk ask")
    assert said.endswith(": task awaiting for 7.00 ms, from 3.00 ms on")
    assert panel.locator("ol li").all_inner_texts()[0] == "talk (chat.py:7)"
    assert "for: another task" in panel.inner_text()
    assert "ended by: talk answer" in panel.inner_text()
    assert "at that moment task running" in panel.inner_text()
    page.locator("#timeline-jump").click()
    said = panel.locator("strong").inner_text()
    assert said.startswith("talk answer")
    assert ": task running for 6.00 ms" in said
    assert opened.said == []
    page.close()
