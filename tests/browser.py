"""Open reports in a real browser: from disk, and hear everything that it says and asks for."""

import os
import shutil
from pathlib import Path

import pytest
from concurtrace.reports.html import RENDERER
from playwright.sync_api import ConsoleMessage, Page, Request

from concurtrace.model.report import Report

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")

# Of every lane that can be seen of the timeline: how many pixels along it are of another colour
# than the page. It is drawn with the frame after the one in which it is ready.
PAINTED = """new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(done));
}).then(() => {
  const canvas = document.getElementById("timeline-canvas");
  const view = canvas.concurtraceView;
  const { width, height, data } =
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const at = (x, y) => `${data.slice(4 * (y * width + x), 4 * (y * width + x) + 3)}`;
  const empty = at(width - 2, height - 2);
  return view.rows.filter((row) => row.lane).flatMap(({ y, lane }) => {
    const line = Math.round((y - view.scroll.scrollTop + 9) * view.ratio);
    if (line < 24 * view.ratio || line >= height) return [];
    const first = Math.round(view.left * view.ratio) + 2;
    const columns = Array.from({ length: Math.floor(view.pixels * view.ratio) - 4 },
      (_, column) => at(first + column, line));
    return [{ name: lane.name, kind: lane.kind,
      painted: columns.filter((one) => one !== empty).length }];
  });
})"""


def find_browser() -> str:
    """Find a Chromium; a CI server must have one."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no browser is installed (any of {', '.join(NAMES)})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Opened:
    """A report opened from disk, and everything that the browser said and asked for."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.file = file
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", self._request)
        page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        page.goto(file.as_uri())
        page.locator("#details").wait_for()

    def _console(self, message: ConsoleMessage) -> None:
        self.said.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def is_quiet(self) -> None:
        assert self.said == []
        assert self.asked == [self.file.as_uri()]


def write_report(folder: Path, given: Report) -> Path:
    """Render a report into a file."""
    file = folder / "report.html"
    file.write_text(RENDERER.render(given), "utf-8")
    return file
