"""Make the gallery anew: sample reports of bundled workloads and pictures, by ``nox -s gallery``.

Both are part of the repository. Each run is made in a folder of its own which is its home as well,
so that its report names no folder of the machine that it was made on; where the interpreter and
the project lie is written as home too.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
PICTURES = HERE / "gallery"
WIDTH = 1200
MOST_BYTES = 1_000_000
LIGHT = ("--with", "baseline,states,tasks,cores", "--repeat", "1")
STANDSTILL = 3
"""The exit code of a run that came to a standstill."""
REPORT = "report.html"


@dataclass(frozen=True)
class Shot:
    """A picture: the section, what is clicked first, and how high it is."""

    name: str
    section: str
    height: int
    click: str = ""


@dataclass(frozen=True)
class Sample:
    """A report of the gallery: the command that makes it, and the pictures of it."""

    name: str
    command: tuple[str, ...]
    shots: tuple[Shot, ...] = ()
    exit_code: int = 0


SAMPLES_MADE = (
    Sample(
        "factorize-threads",
        ("profile", "factorize", "--mode", "threads", *LIGHT),
        (
            Shot("timeline", "timeline", 700, "#timeline-waits tr:nth-child(2) a"),
            Shot("parallelism", "parallelism", 780, "#parallelism details summary"),
        ),
    ),
    Sample("factorize-processes", ("profile", "factorize", "--mode", "processes", *LIGHT)),
    Sample(
        "crawler-threads",
        ("profile", "crawler", "--mode", "threads", *LIGHT),
        (Shot("waiting", "waiting", 560), Shot("blocking", "blocking", 560)),
    ),
    Sample("crawler-async", ("profile", "crawler", "--mode", "async", *LIGHT)),
    Sample(
        "philosophers-deadlock",
        # No baseline, in which nobody could tell why it never ends, and time enough to notice that.
        (
            *("profile", "philosophers", "--fault", "naive", "--with", "states,cores"),
            *("--time-limit", "60"),
        ),
        exit_code=STANDSTILL,
    ),
    Sample(
        "factorize-compared",
        ("compare", "factorize", "--modes", "sequential,threads,processes", "--repeat", "3"),
    ),
)


def record(sample: Sample, home: Path) -> Path:
    """Run the command of a sample; return the folder that holds its reports."""
    done = subprocess.run(
        (sys.executable, "-m", "concurtrace", *sample.command),
        cwd=home,
        env={**os.environ, "HOME": str(home)},
        check=False,
    )
    if done.returncode != sample.exit_code:
        raise SystemExit(f"{sample.name} ended with exit code {done.returncode}.")
    (folder,) = home.glob(".concurtrace/runs/*")
    return folder


def keep(sample: Sample, folder: Path) -> Path:
    """Copy the reports of a run, those inside of a comparison too; return the first of them."""
    kept = SAMPLES / sample.name
    shutil.rmtree(kept, ignore_errors=True)
    for report in sorted(folder.rglob(REPORT)):
        text = without_places(report.read_text("utf-8"))
        size, words = len(text.encode()), sorted(set(telling(text)))
        if words or size > MOST_BYTES:
            raise SystemExit(f"{sample.name} has {size} bytes and names {words}.")
        copy = kept / report.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, "utf-8")
    return kept / REPORT


def without_places(text: str) -> str:
    """Write the folders of this machine that a report may name as home."""
    for place in (HERE.parent, sys.prefix, sys.base_prefix, Path.home()):
        text = text.replace(f"{place}/", "~/")
    return text


def telling(text: str) -> Iterator[str]:
    """Find what a report must not tell: the machine's name and the user's."""
    words = {os.uname().nodename, os.environ.get("USER", ""), os.environ.get("LOGNAME", "")}
    for word in filter(None, words):
        # Packed blocks are base64, in which any short word is found.
        if re.search(rf"(?<![\w/+.-]){re.escape(word)}(?![\w/+.-])", text):
            yield word


def take(page: Page, shot: Shot) -> None:
    """Photograph a section from its title on."""
    page.set_viewport_size({"width": WIDTH, "height": shot.height})
    if shot.click:
        page.locator(shot.click).first.click()
    page.locator(f"#{shot.section}").evaluate("(one) => one.scrollIntoView()")
    page.wait_for_timeout(300)
    page.screenshot(path=PICTURES / f"{shot.name}.png")


def main() -> None:
    """Record, keep, open and photograph."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for sample in SAMPLES_MADE:
            with tempfile.TemporaryDirectory() as home:
                report = keep(sample, record(sample, Path(home)))
            page = browser.new_page()
            page.goto(report.as_uri())
            for shot in sample.shots:
                page.locator("canvas[data-ready]").wait_for()
                take(page, shot)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
