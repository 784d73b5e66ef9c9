"""Open the report of every workload in every mode in a browser, and look at all that it shows.

``python -m tests.reliability.views [--preset …] [--with …] [WORKLOAD…]``, run by ``nox -s views``.
One line per run with the size of its report: no error, no request, every section has something to
say or says why not, and the timeline is painted. Ends with a count of what failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.launch.plan import load_workload
from tests.browser import ARGUMENTS, PAINTED, Opened, find_browser

MOST_BYTES = 1_000_000
"""What the report of a bundled workload may take in its default size."""
_SECTIONS = """() => [...document.querySelectorAll("main > section")].map((one) => {
  const absence = one.querySelector(":scope > .absence");
  const told = [...one.children].filter((part) => !part.matches("h2") && part.innerText.trim());
  return { id: one.id, told: told.length, missing: absence ? absence.innerText.trim() : null };
})"""


def profile(folder: Path, name: str, mode: str, *arguments: str) -> Path:
    """Profile a mode of a workload and return its report, which is written whatever happens."""
    command = (sys.executable, "-m", "concurtrace", "profile", name, "--mode", mode, "--quiet")
    done = subprocess.run(
        (*command, *arguments), cwd=folder, capture_output=True, text=True, check=False
    )
    found = list(folder.glob(".concurtrace/runs/*/report.html"))
    assert len(found) == 1, done.stderr
    return found[0]


def complaints(browser: Browser, file: Path) -> Iterator[str]:
    """Look at a report as a reader would; say in words what is wrong with it."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    opened = Opened(page, file)
    sections: list[dict[str, Any]] = page.evaluate(_SECTIONS)
    for one in sections:
        if one["missing"] == "" or not one["told"]:
            yield f"section {one['id']} is empty"
    timeline = next((one for one in sections if one["id"] == "timeline"), None)
    if timeline is not None and timeline["missing"] is None:
        page.locator("canvas[data-ready]").wait_for()
        yield from _unpainted(page.evaluate(PAINTED))
        for wait in page.locator("#timeline-waits a").all()[:3]:
            wait.dispatch_event("click")
            if not page.locator("#timeline-panel strong").inner_text():
                yield "a wait that is clicked on tells nothing"
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        yield "it is wider than its window"
    yield from (f"the console says {one}" for one in opened.said)
    yield from (f"it asked for {one}" for one in opened.asked if one != file.as_uri())
    page.close()


def _unpainted(lanes: list[dict[str, Any]]) -> Iterator[str]:
    if not any(one["painted"] for one in lanes):
        yield "the timeline is not painted"
    for one in lanes:
        if one["kind"] == "gil" and not one["painted"]:
            yield f"the lane {one['name']} is not painted"


def main() -> int:
    """Look at every report; return how many had something wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--with", dest="instruments", default="baseline,states,tasks,cores")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("workloads", nargs="*")
    given = parser.parse_args()
    arguments = ("--repeat", "1", "--with", given.instruments, "--preset", given.preset)
    print("| run | report, KB | seen |\n|---|---|---|", flush=True)
    failed = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        for name in given.workloads or discovery.modules(Kind.WORKLOAD):
            for mode in _modes(name):
                with tempfile.TemporaryDirectory() as folder:
                    file = profile(Path(folder), name, mode, *arguments)
                    size = file.stat().st_size
                    found = list(complaints(browser, file))
                if size > MOST_BYTES:
                    found.append("it is too large")
                failed += bool(found)
                said = "; ".join(found) or "ok"
                print(f"| {name} {mode} | {size / 1e3:.0f} | {said} |", flush=True)
        browser.close()
    print(f"\n{failed} reports had something wrong.")
    return failed


def _modes(name: str) -> Iterator[str]:
    workload = load_workload(name)
    if lacking := workload.missing():
        print(f"| {name} | | not here: {lacking} |", flush=True)
        return
    for mode, about in workload.modes.items():
        if all(find_spec(one.partition(".")[0]) for one in about.imports):
            yield mode


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
