"""Measure the HTML report of ten million spans: writing it, its size, and the browser with it.

``python -m benchmarks.report [MILLIONS] [THREADS] [--loads N] [--large] [--output FILE]``. The
trace is made up: lengths as noisy as those of real programs (log-normal), states in turns that
depend on each other, waits with wakers, stacks and objects. A process of its own writes the report;
a headless browser opens it several times, a fresh one each time. Frames are those of the whole
page. With ``--large`` thirty million spans in 128 threads are measured as well. The figures beside
their goals are printed, and written to ``results/report.md``.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Page, ViewportSize, sync_playwright

from concurtrace import api
from concurtrace.model.recording import Function, Recording
from concurtrace.model.report import Report
from concurtrace.model.spans import SpanFlag, Spans, Stacks
from concurtrace.model.states import State
from concurtrace.model.trace import (
    EndedBy,
    GilUse,
    ObjectKind,
    Process,
    StateTotal,
    Thread,
    Trace,
    WaitObject,
)
from tests import builders
from tests.browser import ARGUMENTS, find_browser

MEAN_NS = 700_000
STATES = (State.RUNNING, State.GIL_WAIT, State.RUNNING_NOGIL, State.LOCK_WAIT, State.IO_WAIT)
NEXT = np.array(
    [
        [0.0, 0.4, 0.2, 0.2, 0.2],
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.3, 0.7, 0.0, 0.0, 0.0],
        [0.5, 0.5, 0.0, 0.0, 0.0],
        [0.3, 0.7, 0.0, 0.0, 0.0],
    ]
)
STACKS, OBJECTS = 300, 20
LARGE = (30.0, 128)
VIEWPORT = ViewportSize(width=1600, height=900)
RESULTS = Path(__file__).parent / "results" / "report.md"
MOVES = """async (move) => {
  const canvas = document.getElementById("timeline-canvas");
  canvas.focus();
  for (const key of "0+++") canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
  // Those who ask for a frame are called in turn, so two of them enclose the drawing.
  const called = () => new Promise((done) => {
    requestAnimationFrame(() => done(performance.now()));
  });
  let before = await called();
  const frames = [], drawing = [];
  for (let frame = 0; frame < 150; frame++) {
    const far = frame < 75 ? 10 : -10;
    const wheel = move === "pan" ? { deltaX: far } : { deltaY: far, clientX: innerWidth / 2 };
    const began = called();
    canvas.dispatchEvent(new WheelEvent("wheel", { ...wheel, cancelable: true }));
    const [start, end] = await Promise.all([began, called()]);
    frames.push(start - before);
    drawing.push(end - start);
    before = start;
  }
  return [frames.slice(5), drawing.slice(5)];
}"""
Figures = dict[str, float]


@dataclass(frozen=True)
class Figure:
    """A figure: its name, what the goal is for ten million spans, and how many decimals it has."""

    name: str
    goal: str = ""
    decimals: int = 0


FIGURES = (
    Figure("writing, s", "15", 1),
    Figure("writing, CPU s", "", 1),
    Figure("writing, peak memory, MB", "1611"),
    Figure("of it before writing, MB"),
    Figure("file, MB", "40", 1),
    Figure("words readable, ms", "300"),
    Figure("overview, ms", "1000"),
    Figure("full detail, ms", "3000"),
    Figure("pan: frame median, ms", "", 1),
    Figure("pan: frame p95, ms", "17", 1),
    Figure("pan: drawing median, ms", "", 1),
    Figure("pan: drawing p95, ms", "", 1),
    Figure("zoom: frame p95, ms", "", 1),
    Figure("zoom: drawing p95, ms", "", 1),
    Figure("renderer's memory when all is loaded, peak, MB"),
    Figure("renderer's memory in the end, peak, MB", "400"),
    Figure("renderer's memory with an empty report, peak, MB"),
    Figure("empty report, KB", "150"),
)


def _chain(random: np.random.Generator, each: int) -> np.ndarray:
    """Walk from state to state."""
    draws = random.random(each)
    edges = np.cumsum(NEXT, axis=1).tolist()
    state, found = 0, bytearray(each)
    for number, draw in enumerate(draws.tolist()):
        found[number] = state
        row = edges[state]
        state = 0
        while row[state] < draw and state < len(STATES) - 1:
            state += 1
    return np.frombuffer(bytes(found), np.uint8)


def made_up(count: int, many: int) -> Trace:
    """Make a trace of ``count`` spans in ``many`` threads."""
    random = np.random.default_rng(11)
    each = count // many
    codes = np.array([one.code for one in STATES], np.uint8)
    chain = _chain(random, min(each, 200_000))
    threads, parts = [], []
    for number in range(many):
        lengths = random.lognormal(np.log(MEAN_NS) - 0.72, 1.2, each).astype(np.int64) + 1
        ends = np.cumsum(lengths)
        kinds = np.resize(np.roll(chain, -number * 997), each)
        states = codes[kinds]
        waits = np.isin(states, (State.LOCK_WAIT.code, State.GIL_WAIT.code))
        running = states == State.RUNNING.code
        stacks = np.where(running, 0, 1 + random.geometric(0.03, each) % (STACKS - 1))
        locks = np.where(states == State.LOCK_WAIT.code, 1 + random.integers(0, OBJECTS, each), 0)
        parts.append(
            Spans(
                start_ns=ends - lengths,
                end_ns=ends,
                state=states,
                reason=np.zeros(each, np.uint8),
                flags=np.where(running, int(SpanFlag.GIL_HELD), 0).astype(np.uint8),
                core=np.full(each, -1, np.int16),
                waker=np.where(waits, 100 + random.integers(0, many, each), 0).astype(np.uint32),
                stack=stacks.astype(np.uint32),
                object=locks.astype(np.uint32),
            )
        )
        sums = {one: int(lengths[states == one.code].sum()) for one in STATES}
        totals = {one: StateTotal(ns, int((states == one.code).sum())) for one, ns in sums.items()}
        first = number * each
        threads.append(
            Thread(
                100 + number,
                0,
                f"worker-{number}",
                0,
                int(ends[-1]),
                first,
                first + each,
                totals,
                GilUse(held_ns=sums[State.RUNNING]),
                is_main=number == 0,
            )
        )
    end = max(one.end_ns for one in threads)
    process = Process(
        100, 1, None, "MainProcess", "main", 0, end, EndedBy.EXIT, 0, None, (), 0, many
    )
    functions = tuple(Function("/srv/a.py", number, f"function_{number}") for number in range(50))
    rows = np.arange(STACKS, dtype=np.uint32)
    table = Stacks(rows // 2, rows % 50, rows, functions)
    objects = tuple(WaitObject(ObjectKind.LOCK, 0, key) for key in range(OBJECTS + 1))
    spans = Spans.joined(parts)
    return Trace((process,), tuple(threads), spans, 0, end, stacks=table, objects=objects)


def report_of(trace: Trace) -> Report:
    """Make a report of nothing but a trace."""
    light = builders.one_pass("light", 110, instruments=("states",))
    given = builders.report(light, recording=Recording(trace=trace))
    return builders.with_states(given)


def write(file: Path, millions: float, many: int) -> Figures:
    """Write the report of a made-up trace, and an empty one beside it."""
    trace = made_up(int(millions * 1_000_000), many)
    given = report_of(trace)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    content = api.render(given, "html")
    took, cpu = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file.write_bytes(content)
    empty = api.render(builders.report(), "html")
    file.with_name("empty.html").write_bytes(empty)
    return {
        "writing, s": took,
        "writing, CPU s": cpu,
        "writing, peak memory, MB": peak * 1024 / 1e6,
        "of it before writing, MB": before * 1024 / 1e6,
        "file, MB": len(content) / 1e6,
        "empty report, KB": len(empty) / 1e3,
    }


def _peak_of_renderer() -> float:
    """The highest resident memory of any of the browser's renderers so far, in MB."""
    peaks = [0]
    for child in psutil.Process().children(recursive=True):
        if "--type=renderer" in child.cmdline():
            status = Path(f"/proc/{child.pid}/status").read_text()
            peaks.append(int(status.split("VmHWM:")[1].split()[0]))
    return max(peaks) * 1024 / 1e6


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def browse(page: Page, file: Path) -> Figures:
    """Open a report, pan and zoom; times count from the start of the navigation."""
    page.goto(file.as_uri(), timeout=120_000)
    page.locator("canvas[data-ready]").wait_for(timeout=120_000)
    marks: Figures = page.evaluate(
        """() => Object.fromEntries([...performance.getEntriesByType("paint"),
          ...performance.getEntriesByType("mark")].map((one) => [one.name, one.startTime]))"""
    )
    loaded = _peak_of_renderer()
    frames, drawing = page.evaluate(MOVES, "pan")
    zoomed, drawing_zoomed = page.evaluate(MOVES, "zoom")
    return {
        "words readable, ms": marks["first-contentful-paint"],
        "overview, ms": marks["timeline overview"],
        "full detail, ms": marks["timeline ready"],
        "pan: frame median, ms": statistics.median(frames),
        "pan: frame p95, ms": _p95(frames),
        "pan: drawing median, ms": statistics.median(drawing),
        "pan: drawing p95, ms": _p95(drawing),
        "zoom: frame p95, ms": _p95(zoomed),
        "zoom: drawing p95, ms": _p95(drawing_zoomed),
        "renderer's memory when all is loaded, peak, MB": loaded,
        "renderer's memory in the end, peak, MB": _peak_of_renderer(),
    }


def measure(millions: float, many: int, loads: int) -> list[Figures]:
    """Write a report once, and open it in fresh browsers."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        command = (sys.executable, "-m", "benchmarks.report", str(millions), str(many))
        written = subprocess.run(
            [*command, "--write", str(file)], check=True, stdout=subprocess.PIPE
        )
        found: list[Figures] = [json.loads(written.stdout)]
        for _ in range(loads):
            for opened in (file, file.with_name("empty.html")):
                browser = playwright.chromium.launch(
                    executable_path=find_browser(), args=list(ARGUMENTS)
                )
                page = browser.new_page(viewport=VIEWPORT)
                if opened is file:
                    found.append(browse(page, opened))
                else:
                    page.goto(opened.as_uri())
                    page.locator("#details").wait_for()
                    name = "renderer's memory with an empty report, peak, MB"
                    found.append({name: _peak_of_renderer()})
                browser.close()
    return found


def _cell(figure: Figure, found: list[Figures]) -> str:
    """The median, and the range where there are several."""
    values = [one[figure.name] for one in found if figure.name in one]
    texts = [f"{one:.{figure.decimals}f}" for one in (min(values), max(values))]
    middle = f"{statistics.median(values):.{figure.decimals}f}"
    return middle if len(values) == 1 else f"{middle} [{texts[0]} to {texts[1]}]"


def page_of(measured: dict[str, list[Figures]], loads: int) -> str:
    """Lay the figures out as Markdown, a column per report."""
    about = (
        f"`nox -s report`: Python {platform.python_version()}, {os.cpu_count()} cores, headless"
        " Chromium without a graphics card.\n"
        f"Medians of {loads} loads, each in a fresh browser, with their range. The window has 1600"
        " by 900 pixels; a pan\nmoves by ten pixels a frame at an eighth of the run. The goals are"
        " those for ten million spans; 1611 MB are 1.5 GiB."
    )
    heads = f"| figure | goal | {' | '.join(measured)} |"
    lines = ["# The HTML report of very many spans", "", about, ""]
    lines += [heads, f"|---|---|{'---|' * len(measured)}"]
    for figure in FIGURES:
        cells = " | ".join(_cell(figure, found) for found in measured.values())
        goal = f"at most {figure.goal}" if figure.goal else ""
        lines.append(f"| {figure.name} | {goal} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("millions", nargs="?", type=float, default=10.0)
    parser.add_argument("threads", nargs="?", type=int, default=64)
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument("--large", action="store_true", help="thirty million spans too")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--write", type=Path, help="only write a report to this file")
    given = parser.parse_args()
    if given.write is not None:
        print(json.dumps(write(given.write, given.millions, given.threads)))
        return 0
    sizes = [(given.millions, given.threads), *([LARGE] if given.large else [])]
    measured = {
        f"{millions:g} million, {threads} threads": measure(millions, threads, given.loads)
        for millions, threads in sizes
    }
    text = page_of(measured, given.loads)
    print(text)
    given.output.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
