"""States and their timeline in a real browser: exact, by mouse and keys, safe, in both themes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from concurtrace.reports.html.lanes import REASONS, lay_out
from playwright.sync_api import Browser, Page

from concurtrace.model.recording import Recording
from concurtrace.model.report import Finding, Report, Severity
from concurtrace.model.trace import Trace
from tests import builders
from tests.browser import Opened, write_report
from tests.builders import one_pass, with_states
from tests.builders_hostile import HOSTILE, hostile
from tests.builders_trace import trace
from tests.cli import concurtrace
from tests.unit.reports.test_lanes import random_trace

pytestmark = pytest.mark.browser


def of(made: Trace) -> Report:
    light = one_pass("light", 110, instruments=("states",))
    return with_states(builders.report(light, recording=Recording(trace=made)))


def convoy() -> Trace:
    at = "/srv/shop/app.py:9 in inner < /srv/shop/app.py:20 in outer"
    return (
        trace()
        .thread("MainThread").running(40).waits_gil(10, by="waiter", at=at).sleeps(50)
        .thread("waiter").waits_lock(40, "L", by="MainThread", at=at).running(10).sleeps(20)
        .build()
    )  # fmt: skip


def opened_timeline(page: Page, file: Path) -> Opened:
    opened = Opened(page, file)
    page.locator("canvas[data-ready]").wait_for()
    return opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = browser.new_page(viewport={"width": 1300, "height": 900})
    yield made
    made.close()


def selected(page: Page) -> str:
    return page.locator("#timeline-panel strong").inner_text()


def test_columns_are_the_exact_integral_at_every_zoom(page: Page, tmp_path: Path) -> None:
    made = random_trace(7, 1500)
    opened = opened_timeline(page, write_report(tmp_path, of(made)))
    layout = lay_out(made)
    shapes = [(0, layout.length, 97), (1000, 20_000, 64), (5_000, 5_050, 50), (-100, 10_000, 33)]
    for t0, t1, count in shapes:
        shown = page.evaluate(
            """([t0, t1, count]) => {
              const { lanes, stateOf, looks } =
                document.getElementById("timeline-canvas").concurtraceView;
              const columns = (lane) =>
                Lanes.columns(lane, stateOf, looks.length, t0, t1, count);
              return lanes.map((lane) => [...columns(lane)]);
            }""",
            [t0, t1, count],
        )
        for lane, columns in zip(layout.lanes, shown, strict=True):
            edges = t0 + (t1 - t0) * np.arange(count + 1) / count
            ends = lane.start + np.cumsum(lane.intervals.dur)
            starts = ends - lane.intervals.dur
            sums = np.array(columns).reshape(count, -1)
            kinds = lane.intervals.kind // REASONS
            inside = np.clip(
                np.minimum(ends[:, None], edges[None, 1:])
                - np.maximum(starts[:, None], edges[None, :-1]),
                0,
                None,
            )
            whole = inside.sum(axis=0)
            assert np.allclose(sums.sum(axis=1), whole, atol=1e-6)
            each = sorted(inside[kinds == kind].sum() for kind in np.unique(kinds))
            told = sorted(sums.sum(axis=0))[-len(each) :]
            assert np.allclose(told, each, atol=1e-6)
            # One state, column by column: the one that a lane begins with.
            first = page.evaluate(
                """(number) => {
                  const view = document.getElementById("timeline-canvas").concurtraceView;
                  return view.stateOf[view.lanes[number].kinds[0]];
                }""",
                layout.lanes.index(lane),
            )
            assert np.allclose(sums[:, first], inside[kinds == kinds[0]].sum(axis=0), atol=1e-6)
    opened.is_quiet()


def test_a_wait_tells_its_stack_and_who_ended_it(page: Page, tmp_path: Path) -> None:
    opened = opened_timeline(page, write_report(tmp_path, of(convoy())))
    page.locator("#timeline-waits a").first.click()
    assert selected(page) == "waiter: waiting for a lock for 40.0 ms, from 0 on"
    panel = page.locator("#timeline-panel")
    assert panel.locator("ol").first.locator("li").all_inner_texts() == [
        "inner (app.py:9)",
        "outer (app.py:20)",
    ]
    assert "ended by: MainThread, at that moment running Python" in panel.inner_text()
    page.locator("#timeline-jump").click()
    assert selected(page) == "MainThread: running Python for 40.0 ms, from 0 on"
    opened.is_quiet()


def test_it_is_walked_by_keyboard(page: Page, tmp_path: Path) -> None:
    opened = opened_timeline(page, write_report(tmp_path, of(convoy())))
    canvas = page.locator("#timeline-canvas")
    canvas.focus()
    walk = [
        ("ArrowDown", "GIL: GIL held for 40.0 ms"),
        ("ArrowDown", "MainThread: running Python for 40.0 ms"),
        ("]", "MainThread: waiting for the GIL for 10.0 ms"),
        ("Enter", "waiter: running Python for 10.0 ms"),
        ("[", "waiter: waiting for a lock for 40.0 ms"),
        ("[", "waiter: waiting for a lock for 40.0 ms"),
        ("ArrowUp", "MainThread: running Python for 40.0 ms"),
        ("n", "MainThread: running Python for 40.0 ms"),
    ]
    for key, start in walk:
        canvas.press(key)
        assert selected(page).startswith(start), key
    said = page.locator("#timeline-said").inner_text()
    assert said == "No later interval of this kind in this lane."
    canvas.press("+")
    page.get_by_text("50.0 ms of 100 ms").wait_for()
    canvas.press("0")
    page.get_by_text("0 to 100 ms: 100 ms of 100 ms").wait_for()
    opened.is_quiet()


def test_a_click_selects_what_is_under_it(page: Page, tmp_path: Path) -> None:
    opened_timeline(page, write_report(tmp_path, of(convoy())))
    canvas = page.locator("#timeline-canvas")
    box = canvas.bounding_box()
    assert box is not None
    # The third lane is the waiter's; a third of the way along it still waits for the lock.
    canvas.click(position={"x": 190 + (box["width"] - 198) / 3, "y": 24 + 2 * 22 + 9})
    assert selected(page).startswith("waiter: waiting for a lock")
    canvas.click(position={"x": box["width"] - 20, "y": 24 + 22 + 9})
    assert selected(page).startswith("MainThread: sleeping")


def test_a_finding_leads_to_its_moment_and_its_line(page: Page, tmp_path: Path) -> None:
    line = f"{builders.FILE}:5 in fetch"
    finding = Finding("lock-contention", Severity.WARNING, "Threads waited.", where=(line,))
    finding = replace(finding, window_ns=(10_000_000, 60_000_000))
    opened = opened_timeline(
        page, write_report(tmp_path, replace(builders.everything(), findings=(finding,)))
    )
    page.get_by_role("link", name="Show it in the timeline").click()
    page.locator("#timeline-range", has_text="10.0 ms to 60.0 ms: 50.0 ms of").wait_for()
    page.locator("#source details[open] summary").first.click()
    page.locator("#findings a", has_text="crawl.py:5").click()
    row = page.locator("tr:target")
    row.wait_for()
    assert row.locator("code").inner_text() == builders.SOURCE[4]
    opened.is_quiet()


def test_the_strip_has_a_window_that_is_dragged(page: Page, tmp_path: Path) -> None:
    opened = opened_timeline(page, write_report(tmp_path, of(convoy())))
    strip = page.locator("#timeline-strip")
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    assert box is not None
    wide = box["width"] - 198

    def drag(start: float, end: float, *modifiers: str) -> None:
        for modifier in modifiers:
            page.keyboard.down(modifier)
        page.mouse.move(box["x"] + 190 + start * wide, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 190 + end * wide, box["y"] + 20)
        page.mouse.up()
        for modifier in modifiers:
            page.keyboard.up(modifier)

    drag(0.2, 0.6)
    page.locator("#timeline-range", has_text="20.0 ms to 60.0 ms: 40.0 ms of").wait_for()
    drag(0.4, 0.5)
    page.locator("#timeline-range", has_text="30.0 ms to 70.0 ms: 40.0 ms of").wait_for()
    drag(0.7, 0.9)
    page.locator("#timeline-range", has_text="30.0 ms to 90.0 ms: 60.0 ms of").wait_for()
    opened.is_quiet()


def test_a_range_is_added_up(page: Page, tmp_path: Path) -> None:
    opened = opened_timeline(page, write_report(tmp_path, of(convoy())))
    canvas = page.locator("#timeline-canvas")
    canvas.press("t")
    panel = page.locator("#timeline-panel")
    assert panel.locator("strong").inner_text() == (
        "0 to 100 ms: 100 ms, in which 2 threads lived 170 ms together"
    )
    assert panel.locator("li").all_inner_texts() == [
        "sleeping: 70.0 ms (41 %)",
        "running Python: 50.0 ms (29 %)",
        "waiting for a lock: 40.0 ms (24 %)",
        "waiting for the GIL: 10.0 ms (5.9 %)",
    ]
    canvas.press("Escape")
    assert panel.locator("li").count() == 0
    box = canvas.bounding_box()
    assert box is not None
    wide, y = box["width"] - 198, box["y"] + 55
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 190 + 0.4 * wide, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 190 + 0.2 * wide, y)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert panel.locator("strong").inner_text().startswith("20.0 ms to 40.0 ms: 20.0 ms, in which")
    page.locator("#timeline-into").click()
    page.locator("#timeline-range", has_text="20.0 ms to 40.0 ms: 20.0 ms of").wait_for()
    opened.is_quiet()


def test_the_range_is_saved_as_a_trace(page: Page, tmp_path: Path) -> None:
    opened = opened_timeline(page, write_report(tmp_path, of(convoy())))
    with page.expect_download() as saved:
        page.locator("#timeline-save").click()
    events = json.loads(saved.value.path().read_bytes())["traceEvents"]
    slices = [one for one in events if one["ph"] == "X"]
    waits = [one for one in slices if one["name"] == "waiting for a lock"]
    assert [(one["ts"], one["dur"], one["args"]["thread"]) for one in waits] == [
        (0, 40_000, "MainThread")
    ]
    assert sum(one["dur"] for one in slices if one["name"] == "running Python") == 50_000
    # Taking a file out of the page is a download of its own data, not a request.
    assert opened.said == []
    assert all(one == opened.file.as_uri() or one.startswith("blob:") for one in opened.asked)


def test_an_address_brings_back_what_was_seen(browser: Browser, page: Page, tmp_path: Path) -> None:
    file = write_report(tmp_path, of(convoy()))
    opened_timeline(page, file)
    page.locator("#timeline-waits a").nth(1).click()
    page.locator("#timeline-in").click()
    page.locator("#timeline-range", has_text=": 10.0 ms of 100 ms").wait_for()
    shown, said = page.locator("#timeline-range").inner_text(), selected(page)
    again = browser.new_page(viewport={"width": 1300, "height": 900})
    again.goto(page.url)
    again.locator("canvas[data-ready]").wait_for()
    assert selected(again) == said
    again.locator("#timeline-range", has_text=shown).wait_for()
    again.close()


@pytest.mark.parametrize(
    "address", ["t0=x&t1=y", "t0=9&t1=3", "lane=99&at=5", "lane=0&at=-1", "t0=1e99&t1=1e100", "%"]
)
def test_a_senseless_address_shows_the_run(page: Page, tmp_path: Path, address: str) -> None:
    file = write_report(tmp_path, of(convoy()))
    page.goto(f"{file.as_uri()}#timeline?{address}")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.locator("canvas[data-ready]").wait_for()
    assert "100 ms of 100 ms" in page.locator("#timeline-range").inner_text()
    assert "cannot be drawn" not in page.locator("#timeline-panel").inner_text()
    assert errors == []


def test_the_legend_filters_and_the_table_says_what_the_picture_shows(
    page: Page, tmp_path: Path
) -> None:
    opened = opened_timeline(page, write_report(tmp_path, of(convoy())))
    button = page.locator("#timeline-legend button", has_text="sleeping")
    before = page.locator("#timeline-canvas").screenshot()
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert page.locator("#timeline-canvas").screenshot() != before
    page.locator("#timeline-twin summary").click()
    rows = page.locator("#timeline-table tbody tr")
    rows.first.wait_for()
    heads = page.locator("#timeline-table thead th").all_inner_texts()
    cells = dict(zip(heads, rows.nth(2).locator("th, td").all_inner_texts(), strict=True))
    assert cells["Lane"] == "waiter"
    told = {name: cells[name] for name in ("waiting for a lock", "running Python", "sleeping")}
    assert told == {"waiting for a lock": "40 %", "running Python": "10 %", "sleeping": "20 %"}
    opened.is_quiet()


def test_threads_are_found_by_name(page: Page, tmp_path: Path) -> None:
    opened_timeline(page, write_report(tmp_path, of(convoy())))
    page.locator("#timeline-find").fill("WAIT")
    page.locator("#timeline-twin summary").click()
    page.locator("#timeline-table tbody th").first.wait_for()
    assert page.locator("#timeline-table tbody th").all_inner_texts() == ["waiter"]
    page.locator("#timeline-find").fill("zzz")
    assert "No thread or process contains" in page.locator("#timeline-said").inner_text()


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_name_is_obeyed(page: Page, tmp_path: Path, kind: str) -> None:
    given = hostile(HOSTILE[kind])
    opened = opened_timeline(page, write_report(tmp_path, given))
    page.locator("#timeline-waits a").first.click()
    page.locator("#timeline-jump").click()
    page.locator("#timeline-twin summary").click()
    page.locator("#timeline-table tbody th").first.wait_for()
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.said == []


def test_a_print_holds_every_lane_in_light_colours(page: Page, tmp_path: Path) -> None:
    made = trace()
    for number in range(60):
        made = made.thread(f"thread-{number}").running(10)
    opened = opened_timeline(page, write_report(tmp_path, of(made.build())))
    page.emulate_media(color_scheme="dark")
    height = "document.getElementById('timeline-canvas').clientHeight"
    before = page.evaluate(height)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(height) > 60 * 22 > before
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    opened.is_quiet()


def test_a_real_run_has_its_states(page: Page, tmp_path: Path) -> None:
    command = ("profile", "factorize", "--mode", "threads", "--preset", "tiny", "--repeat", "1")
    done = concurtrace(tmp_path, *command, "--with", "baseline,states,cores")
    assert done.returncode == 0, done.stderr
    opened = opened_timeline(page, tmp_path / done.stdout.splitlines()[-1])
    for section in ("states", "gil", "timeline"):
        assert page.locator(f"#{section} .absence").count() == 0
    assert "factorizer" in page.locator("#states").inner_text()
    page.locator("#timeline-waits a").first.click()
    assert selected(page)
    assert opened.file.stat().st_size < 1_000_000
    assert opened.said == []
