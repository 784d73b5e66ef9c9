"""Measure the HTML report of ten million spans: writing it, its size, and the browser with it.

``python -m benchmarks.report [MILLIONS] [THREADS]``. The trace is made up: lengths as noisy as
those of real programs (log-normal), states in turns that depend on each other, waits with wakers,
stacks and objects. The browser is headless; frames are those of the whole page.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from concurtrace.reports.html import RENDERER
from playwright.sync_api import Page, sync_playwright

from concurtrace.model.recording import Function, Recording
from concurtrace.model.report import Report
from concurtrace.model.states import State
from concurtrace.model.trace import (
    EndedBy,
    GilUse,
    ObjectKind,
    Process,
    SpanFlag,
    Spans,
    Stacks,
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
PAN = """async () => {
  const view = document.getElementById("timeline-canvas").concurtraceView;
  const canvas = document.getElementById("timeline-canvas");
  canvas.focus();
  const key = (name) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
  for (let zoom = 0; zoom < 3; zoom++) key("+");
  const frames = [];
  let before = performance.now();
  for (let frame = 0; frame < 150; frame++) {
    const step = (view.t1 - view.t0) * 0.01 * (frame < 75 ? 1 : -1);
    const deltaX = 10 * Math.sign(step);
    canvas.dispatchEvent(new WheelEvent("wheel", { deltaX, cancelable: true }));
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - before);
    before = now;
  }
  return frames.slice(5).sort((a, b) => a - b);
}"""


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


def _peak_of_renderer() -> float:
    """The highest resident memory of any of the browser's renderers, in MB."""
    peaks = [0]
    for child in psutil.Process().children(recursive=True):
        if "--type=renderer" in child.cmdline():
            status = Path(f"/proc/{child.pid}/status").read_text()
            peaks.append(int(status.split("VmHWM:")[1].split()[0]))
    return max(peaks) / 1000


def browse(page: Page, file: Path) -> dict[str, float]:
    """Open a report; times in ms from the start of the navigation."""
    page.goto(file.as_uri(), timeout=120_000)
    page.locator("canvas[data-ready]").wait_for(timeout=120_000)
    marks: dict[str, float] = page.evaluate(
        """() => Object.fromEntries([...performance.getEntriesByType("paint"),
          ...performance.getEntriesByType("mark")].map((one) => [one.name, one.startTime]))"""
    )
    frames = page.evaluate(PAN)
    return {
        "words readable, ms": marks["first-contentful-paint"],
        "overview, ms": marks["timeline overview"],
        "full detail, ms": marks["timeline ready"],
        "pan, frame median, ms": frames[len(frames) // 2],
        "pan, frame p95, ms": frames[int(len(frames) * 0.95)],
        "renderer memory, MB": _peak_of_renderer(),
    }


def main() -> int:
    """Measure and print."""
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    trace = made_up(int(millions * 1_000_000), many)
    given = report_of(trace)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    text = RENDERER.render(given)
    figures = {
        "spans, millions": len(trace.spans) / 1e6,
        "writing, s": time.perf_counter() - started,
        "writing, CPU s": time.process_time() - used,
        "writing, peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "the trace alone, peak memory, MB": before / 1000,
        "file, MB": len(text.encode()) / 1e6,
        "empty report, KB": len(RENDERER.render(builders.report()).encode()) / 1e3,
    }
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        file.write_text(text, "utf-8")
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        figures.update(browse(page, file))
        browser.close()
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
