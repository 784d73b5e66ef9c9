"""Measure reports of one program by several tools: size, time to the first paint, time to open.

``python -m benchmarks.report_peers [--loads N] [--output FILE]``; run by ``nox -s side_by_side``.
Every load is a browser context of its own, headless and without a network; a tool's loads take
turns with those of the others. "First paint" is the browser's first contentful paint; "open" is
when everything is there and drawn: what that means for a tool is its ``drawn``, looked at before
every frame. Both count from the start of the navigation.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, sync_playwright
from playwright.sync_api import Error as BrowserError

from tests.browser import ARGUMENTS, find_browser

PROGRAM = Path(__file__).parent / "programs" / "mixed.py"
RESULTS = Path(__file__).parent / "results" / "report_peers.md"
PATIENCE_S = 40
OPENED = """(drawn) => new Promise((done) => {
  const look = () => requestAnimationFrame(() => {
    if (!drawn()) return look();
    // What is there now is on the screen with the next frame.
    requestAnimationFrame(() => done(performance.now()));
  });
  look();
})"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


@dataclass(frozen=True)
class Tool:
    """A tool: how its report is made in a folder, shown, and known to be drawn."""

    name: str
    package: str
    make: Callable[[Path], Path]
    drawn: str
    serve: Callable[[Path], contextlib.AbstractContextManager[str]]
    note: str = ""


@dataclass
class Loads:
    """What was measured of a tool's report; times in ms, None where it never came to it."""

    size: int = 0
    painted: list[float | None] = field(default_factory=list)
    opened: list[float | None] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)


def _run(folder: Path, *arguments: str) -> None:
    """Run a module of this interpreter in a folder."""
    command = (sys.executable, "-m", *arguments)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def by_concurtrace(folder: Path) -> Path:
    """Record what `run` records unless told otherwise."""
    _run(folder, "concurtrace", "run", "--quiet", str(PROGRAM))
    (report,) = folder.glob(".concurtrace/runs/*/report.html")
    return report


def by_viztracer(suffix: str) -> Callable[[Path], Path]:
    """Trace every call, into a page or into a trace."""

    def make(folder: Path) -> Path:
        _run(folder, "viztracer", "--quiet", "-o", f"trace{suffix}", "--", str(PROGRAM))
        return folder / f"trace{suffix}"

    return make


def by_memray(folder: Path) -> Path:
    """Record allocations; the page brings its scripts along."""
    _run(folder, "memray", "run", "-o", "memory.bin", str(PROGRAM))
    _run(folder, "memray", "flamegraph", "--no-web", "-o", "memory.html", "memory.bin")
    return folder / "memory.html"


def by_scalene(folder: Path) -> Path:
    """Sample lines; the page brings its scripts along."""
    _run(folder, "scalene", "run", "--outfile", "profile.json", str(PROGRAM))
    _run(folder, "scalene", "view", "--standalone", "profile.json")
    return folder / "scalene-profile.html"


@contextlib.contextmanager
def from_disk(report: Path) -> Iterator[str]:
    """Show a file as it is."""
    yield report.as_uri()


@contextlib.contextmanager
def by_vizviewer(report: Path) -> Iterator[str]:
    """Show a trace in the Perfetto UI that viztracer brings along, from its own server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    viewer = shutil.which("vizviewer", path=str(Path(sys.executable).parent)) or "vizviewer"
    command = (viewer, "--server_only", "--port", str(port), str(report))
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


TOOLS = (
    Tool(
        "concurtrace",
        "concurtrace",
        by_concurtrace,
        "document.querySelector('canvas[data-ready]')",
        from_disk,
    ),
    Tool(
        "viztracer, HTML",
        "viztracer",
        by_viztracer(".html"),
        "document.querySelector('tr-ui-timeline-view')?.model",
        from_disk,
    ),
    Tool(
        "viztracer, Perfetto UI",
        "viztracer",
        by_viztracer(".json"),
        "document.querySelector('.pf-track__canvas')"
        " && document.querySelector('.pf-ui-main__loading').getAttribute('state') === 'none'",
        by_vizviewer,
        "the size is that of the trace; `vizviewer` has to serve it; open: its tracks are there",
    ),
    Tool(
        "memray, flame graph",
        "memray",
        by_memray,
        "document.querySelector('#chart .d3-flame-graph rect')",
        from_disk,
        "memory alone; made with `--no-web`",
    ),
    Tool(
        "scalene, HTML",
        "scalene",
        by_scalene,
        "document.querySelector('#profile table')"
        " && [...document.querySelectorAll('.vega-embed')].every((one) => one.childElementCount)",
        from_disk,
        "made with `--standalone`",
    ),
)


def load(browser: Browser, address: str, tool: Tool, into: Loads) -> None:
    """Load a report once."""
    context = browser.new_context(viewport={"width": 1600, "height": 900}, service_workers="block")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)

    def judge(route: Route) -> None:
        if route.request.url.startswith(("http://127.0.0.1", "file:", "data:", "blob:")):
            route.continue_()
        else:
            into.refused.add(route.request.url)
            route.abort()

    page.route("**/*", judge)
    page.goto(address, wait_until="commit")
    into.opened.append(_opened(page, tool.drawn))
    into.painted.append(page.evaluate(PAINTED))
    context.close()


def _opened(page: Page, drawn: str) -> float | None:
    """Wait until all is drawn; None if that never comes."""
    limit = f"new Promise((done) => setTimeout(() => done(null), {PATIENCE_S * 1000}))"
    with contextlib.suppress(BrowserError):
        found: float | None = page.evaluate(f"Promise.race([({OPENED})(() => {drawn}), {limit}])")
        return found
    return None


def measure(tools: list[Tool], loads: int) -> dict[str, Loads]:
    """Make every tool's report, and load them all in turns."""
    found = {one.name: Loads() for one in tools}
    with contextlib.ExitStack() as stack:
        addresses = {}
        for tool in tools:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            report = tool.make(folder)
            found[tool.name].size = report.stat().st_size
            addresses[tool.name] = stack.enter_context(tool.serve(report))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        for _ in range(loads):
            for tool in tools:
                # What did not open once will not.
                if None not in found[tool.name].opened:
                    load(browser, addresses[tool.name], tool, found[tool.name])
        browser.close()
    return found


def _median(values: list[float | None]) -> str:
    seen = [one for one in values if one is not None]
    if len(seen) < len(values):
        return "never"
    return f"{statistics.median(seen) / 1e3:.2f} s [{min(seen) / 1e3:.2f} to {max(seen) / 1e3:.2f}]"


def table(tools: list[Tool], found: dict[str, Loads]) -> str:
    """Lay the results out as Markdown."""
    lines = [
        "| report | version | size | first paint | open | remarks |",
        "|---|---|---|---|---|---|",
    ]
    for tool in TOOLS:
        if tool not in tools:
            lines.append(f"| {tool.name} | not installed | | | | |")
            continue
        one = found[tool.name]
        notes = [tool.note] if tool.note else []
        if one.refused:
            notes.append(f"asks {_hosts(one.refused)}, which it did not reach")
        lines.append(
            f"| {tool.name} | {version(tool.package)} | {one.size / 1e6:.2f} MB |"
            f" {_median(one.painted)} | {_median(one.opened)} | {'; '.join(notes)} |"
        )
    return "\n".join(lines) + "\n"


def _hosts(addresses: set[str]) -> str:
    return ", ".join(sorted({one.split("/")[2] for one in addresses}))


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    tools = [one for one in TOOLS if importlib.util.find_spec(one.package) is not None]
    head = (
        "# Reports side by side\n\n"
        "`python -m benchmarks.report_peers`: reports of one program (`programs/mixed.py`, four"
        f" threads) in headless Chromium\nwithout a network, Python {sys.version.split()[0]},"
        f" {os.cpu_count()} cores, load average\n{os.getloadavg()[0]:.1f} at the start: medians of"
        f" {given.loads} loads, and their range.\n\n"
    )
    text = head + table(tools, measure(tools, given.loads))
    print(text)
    given.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
