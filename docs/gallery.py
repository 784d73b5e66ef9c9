"""Make the gallery anew: reports of bundled workloads and pictures of them, by ``nox -s gallery``.

The pictures are part of the repository; the reports, which name the machine, are left in
``docs/samples/``, which is not.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
PICTURES = HERE / "gallery"
WIDTH = 1200
RECORDED = ("--with", "baseline,states,cores", "--repeat", "1")


@dataclass(frozen=True)
class Shot:
    """A picture: the section, what is clicked first, and how high it is."""

    name: str
    section: str
    height: int
    click: str = ""


RUNS: tuple[tuple[str, tuple[str, ...], tuple[Shot, ...]], ...] = (
    (
        "factorize-threads",
        ("factorize", "--mode", "threads"),
        (
            Shot("timeline", "timeline", 700, "#timeline-waits tr:nth-child(2) a"),
            Shot("parallelism", "parallelism", 780, "#parallelism details summary"),
        ),
    ),
    (
        "crawler-threads",
        ("crawler", "--mode", "threads"),
        (Shot("waiting", "waiting", 560), Shot("blocking", "blocking", 560)),
    ),
)


def record(name: str, arguments: tuple[str, ...]) -> Path:
    """Profile a workload into a folder of its own and return its report."""
    folder = SAMPLES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = (sys.executable, "-m", "concurtrace", "profile", *arguments, *RECORDED)
    subprocess.run(command, cwd=folder, check=True)
    (report,) = folder.glob(".concurtrace/runs/*/report.html")
    return report


def take(page: Page, shot: Shot) -> None:
    """Photograph a section from its title on."""
    page.set_viewport_size({"width": WIDTH, "height": shot.height})
    if shot.click:
        page.locator(shot.click).first.click()
    page.locator(f"#{shot.section}").evaluate("(one) => one.scrollIntoView()")
    page.wait_for_timeout(300)
    page.screenshot(path=PICTURES / f"{shot.name}.png")


def main() -> None:
    """Record, open and photograph."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, arguments, shots in RUNS:
            page = browser.new_page()
            page.goto(record(name, arguments).as_uri())
            page.locator("canvas[data-ready]").wait_for()
            for shot in shots:
                take(page, shot)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
