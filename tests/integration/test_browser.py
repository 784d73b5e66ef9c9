"""The HTML report in a real browser: opened from disk, without a network, by keyboard."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from concurtrace.reports.html.page import SECTIONS
from playwright.sync_api import Browser, Locator, Page

from tests import builders
from tests.browser import Opened, write_report
from tests.builders import node, process, report, tree
from tests.builders_hostile import HOSTILE, hostile
from tests.cli import concurtrace

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    with_everything = write_report(tmp_path, builders.everything())
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    yield Opened(page, with_everything)
    page.close()


def _frame(page: Page) -> str:
    return page.locator("#flame-frame strong").inner_text()


def _keys(canvas: Locator, *keys: str) -> None:
    for key in keys:
        canvas.press(key)


def test_it_opens_from_disk_without_error_or_request(opened: Opened) -> None:
    sections = opened.page.locator("main > section")
    assert sections.count() == len(SECTIONS)
    for section in sections.all():
        assert section.is_visible()
        assert section.locator("h2").inner_text()
    opened.is_quiet()


def test_it_reads_without_scripts(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(write_report(tmp_path, builders.everything()).as_uri())
    assert page.locator("main > section:visible").count() == len(SECTIONS)
    assert not page.locator(".needs-script").first.is_visible()
    assert page.locator("#functions-table tbody tr:visible").count() == 2
    assert page.locator("#memory svg path.area").count() == 3
    context.close()


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_name_is_obeyed(browser: Browser, tmp_path: Path, kind: str) -> None:
    page = browser.new_page()
    opened = Opened(page, write_report(tmp_path, hostile(HOSTILE[kind])))
    page.locator("#functions-thread").select_option(index=1)
    page.locator("#flame-tree").select_option("merged")
    page.locator("#flame-canvas").hover()
    assert page.locator("script[type]").count() == 6
    assert page.locator("script:not([type])").count() == 2
    assert page.locator("main img").count() == 0
    # Nothing may stick out of the page: a long name is cut or wrapped.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    opened.is_quiet()
    page.close()


def test_an_injected_script_is_refused(browser: Browser, tmp_path: Path) -> None:
    file = write_report(tmp_path, builders.everything())
    attack = '<script>document.title = "owned"</script><img src="x" onerror="document.title = 1">'
    file.write_text(file.read_text("utf-8").replace("<main>", f"<main>{attack}"), "utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    page.locator("#details").wait_for()
    assert page.title() == "crawler in mode async - concurtrace"
    page.close()


def test_the_flame_graph_is_walked_by_keyboard(opened: Opened) -> None:
    canvas = opened.page.locator("#flame-canvas")
    canvas.focus()
    assert _frame(opened.page) == "all threads"
    walk = [
        ("ArrowDown", "MainProcess (100), MainThread"),
        ("ArrowRight", "Process-1 (101), Worker-1"),
        ("ArrowRight", "Process-1 (101), Worker-1"),
        ("ArrowLeft", "MainProcess (100), MainThread"),
        ("ArrowDown", "fetch"),
        ("ArrowDown", "download"),
        ("ArrowRight", "parse"),
        ("ArrowUp", "fetch"),
        ("Enter", "fetch"),
        ("Backspace", "MainProcess (100), MainThread"),
        ("0", "all threads"),
        ("ArrowUp", "all threads"),
    ]
    for key, name in walk:
        canvas.press(key)
        assert _frame(opened.page) == name, key
    said = opened.page.locator("#flame-said").inner_text()
    assert said == "all threads, 115 ms, 100 %"
    opened.is_quiet()


def test_waits_have_a_flame_graph_of_their_own(opened: Opened) -> None:
    canvas = opened.page.locator("#waiting-canvas")
    canvas.focus()
    told = opened.page.locator("#waiting-frame strong")
    for key, name in [
        ("ArrowDown", "waiting for a lock"),
        ("ArrowDown", "fetch"),
        ("ArrowUp", "waiting for a lock"),
        ("ArrowRight", "sleeping"),
    ]:
        canvas.press(key)
        assert told.inner_text() == name, key
    assert opened.page.locator("#waiting-said").inner_text() == "sleeping, 30.0 ms, 30 %"
    # The other one has not moved.
    assert _frame(opened.page) == "all threads"


def test_a_click_zooms_into_a_frame(opened: Opened) -> None:
    canvas = opened.page.locator("#flame-canvas")
    # The third row is `fetch` of the main thread, which has most of the width.
    canvas.click(position={"x": 30, "y": 50})
    assert _frame(opened.page) == "fetch"
    box = canvas.bounding_box()
    assert box is not None
    # Zoomed in, what it calls has the whole width: `parse` is at the right end.
    canvas.click(position={"x": box["width"] - 5, "y": 70})
    assert _frame(opened.page) == "parse"
    opened.page.locator("#flame-reset").click()
    assert _frame(opened.page) == "all threads"


def test_frames_are_found_and_their_time_counts_once(opened: Opened) -> None:
    page = opened.page
    page.locator("#flame-find").fill("fetch")
    assert page.locator("#flame-found").inner_text() == "2 frames, 100 % of the time"
    page.locator("#flame-find").fill("zzz")
    assert page.locator("#flame-found").inner_text() == (
        "No frame contains “zzz”. 7 were searched."
    )


def test_threads_are_merged_by_function(opened: Opened) -> None:
    page = opened.page
    page.locator("#flame-tree").select_option("merged")
    _keys(page.locator("#flame-canvas"), "ArrowDown")
    assert _frame(page) == "fetch"
    assert "115 ms in all (100 %" in page.locator("#flame-frame").inner_text()
    page.locator("#flame-tree").select_option("1")
    assert _frame(page) == "Process-1 (101), Worker-1"


def test_deep_stacks_stay_usable(browser: Browser, tmp_path: Path) -> None:
    deep = node("leaf", 10)
    for number in range(200):
        deep = node(f"level_{199 - number}", 10, deep)
    file = write_report(tmp_path, report(recording=builders.timeline(tree(deep, of=process()))))
    page = browser.new_page()
    opened = Opened(page, file)
    canvas = page.locator("#flame-canvas")
    _keys(canvas, *["ArrowDown"] * 60)
    assert _frame(page) == "level_59"
    box = canvas.bounding_box()
    assert box is not None
    assert box["height"] < 1100
    opened.is_quiet()
    page.close()


def test_functions_of_one_thread_and_filters(opened: Opened) -> None:
    page = opened.page
    rows = page.locator("#functions-table tbody tr:visible")
    names = page.locator("#functions-table tbody tr:visible th code")
    assert names.all_inner_texts() == ["fetch", "parse"]
    page.locator("#functions-thread").select_option("1")
    assert rows.locator("td.num").all_inner_texts() == ["30", "20.00", "100 %", "25.00"]
    assert names.all_inner_texts() == ["fetch"]
    page.locator("#functions-thread").select_option("")
    page.locator("#functions-filter").fill("PARSE")
    assert names.all_inner_texts() == ["parse"]
    assert page.locator("#functions-count").inner_text() == "1 of 2 functions"


def test_columns_sort_and_say_so(opened: Opened) -> None:
    page = opened.page
    head = page.locator("#functions-table th", has_text="Total")
    names = page.locator("#functions-table tbody th code")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert names.all_inner_texts() == ["fetch", "parse"]
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert names.all_inner_texts() == ["parse", "fetch"]


def test_long_tables_start_short(browser: Browser, tmp_path: Path) -> None:
    table = builders.function_table({f"f{n}": (1, n, n) for n in range(1, 51)})
    page = browser.new_page()
    Opened(page, write_report(tmp_path, report(recording=builders.functions(table))))
    rows = page.locator("#functions-table tbody tr:visible")
    assert rows.count() == 20
    page.get_by_role("button", name="Show all 50 rows").click()
    assert rows.count() == 50
    page.get_by_role("button", name="Show the first 20 alone").click()
    assert rows.count() == 20
    page.close()


def test_charts_tell_their_values_under_the_pointer(opened: Opened) -> None:
    page = opened.page
    strip = page.locator("#memory .strip").nth(1)
    strip.scroll_into_view_if_needed()
    box = strip.locator("svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 10)
    assert strip.locator(".value").inner_text() == "45.0 MiB at 27.0 ms"
    page.mouse.move(0, 0)
    assert strip.locator(".value").inner_text() == "▾ 45.0 MiB at 20.0 ms"


def _pixels(screenshot: bytes) -> tuple[int, list[bytes]]:
    """Decode an eight-bit PNG (RFC 2083) into rows of bytes; give the bytes per pixel too."""
    at, data, channels, width = 8, b"", 0, 0
    while at < len(screenshot):
        (length,) = struct.unpack(">I", screenshot[at : at + 4])
        kind, body = screenshot[at + 4 : at + 8], screenshot[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, channels = struct.unpack(">I", body[:4])[0], {2: 3, 6: 4}[body[9]]
        data += body if kind == b"IDAT" else b""
        at += length + 12
    raw, stride = zlib.decompress(data), width * channels
    rows: list[bytes] = []
    for start in range(0, len(raw), stride + 1):
        before = rows[-1] if rows else bytes(stride)
        rows.append(_unfilter(raw[start], raw[start + 1 : start + 1 + stride], before, channels))
    return channels, rows


def _unfilter(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    made = bytearray(line)
    for index in range(len(made)):
        left = made[index - step] if index >= step else 0
        corner = above[index - step] if index >= step else 0
        up = above[index]
        estimate = left + up - corner
        nearest = min((left, up, corner), key=lambda one: abs(estimate - one))
        added = (0, left, up, (left + up) // 2, nearest)[kind]
        made[index] = (made[index] + added) & 0xFF
    return bytes(made)


def _background(page: Page) -> tuple[int, ...]:
    channels, rows = _pixels(page.screenshot(clip={"x": 0, "y": 400, "width": 8, "height": 8}))
    return tuple(rows[4][4 * channels : 4 * channels + 3])


def test_light_and_dark_follow_the_system_and_the_button(opened: Opened) -> None:
    page = opened.page
    white, dark = (0xFF, 0xFF, 0xFF), (0x12, 0x16, 0x1C)
    page.emulate_media(color_scheme="light")
    assert _background(page) == white
    page.emulate_media(color_scheme="dark")
    assert _background(page) == dark
    button = page.locator("#theme")
    button.click()
    assert button.inner_text() == "Theme: light"
    assert _background(page) == white
    button.click()
    page.emulate_media(color_scheme="light")
    assert _background(page) == dark
    opened.is_quiet()


def test_the_flame_graph_is_painted_in_both_themes(opened: Opened) -> None:
    own = {"light": (0x1D, 0x46, 0xB0), "dark": (0x60, 0x9D, 0xFF)}
    canvas = opened.page.locator("#flame-canvas")
    for scheme, colour in own.items():
        opened.page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        channels, rows = _pixels(canvas.screenshot())
        # Below its name the frame `fetch` in the third row is nothing but its colour.
        row = rows[57]
        assert tuple(row[30 * channels : 30 * channels + 3]) == colour


TOPS = """() => Object.fromEntries([...document.querySelectorAll("main [id]")]
  .filter((one) => one.getClientRects().length)
  .map((one) => [one.id, Math.round(one.getBoundingClientRect().top + scrollY)]))"""


@pytest.mark.parametrize("width", [800, 1300])
def test_nothing_moves_under_the_pointer(browser: Browser, tmp_path: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.add_init_script(
        f"addEventListener('DOMContentLoaded', () => {{ window.topsAtFirst = ({TOPS})(); }})"
    )
    Opened(page, write_report(tmp_path, builders.everything()))
    page.locator("canvas[data-ready]").wait_for()
    at_first = page.evaluate("topsAtFirst")
    assert page.evaluate(TOPS) == at_first
    page.locator("#timeline-in").click()
    page.locator("#timeline-find").fill("worker")
    page.locator("#timeline-range", has_not_text="0 to").wait_for()
    page.locator("#functions-filter").fill("fetch")
    page.locator("#flame-find").fill("fetch")
    now = page.evaluate(TOPS)
    assert now["timeline-scroll"] == at_first["timeline-scroll"]
    for head, what in (("functions-title", "functions-table"), ("flame-title", "flame-canvas")):
        assert now[what] - now[head] == at_first[what] - at_first[head]
    page.close()


@pytest.mark.parametrize("width", [360, 800, 1300])
def test_it_fits_every_width(browser: Browser, tmp_path: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    Opened(page, write_report(tmp_path, builders.everything()))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_a_print_is_light_and_holds_what_is_folded_away(opened: Opened) -> None:
    page = opened.page
    page.emulate_media(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert _background(page) == (0xFF, 0xFF, 0xFF)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    assert _background(page) == (0x12, 0x16, 0x1C)


def test_a_real_run_opens_too(browser: Browser, tmp_path: Path) -> None:
    command = ("profile", "crawler", "--mode", "async", "--preset", "tiny", "--repeat", "1")
    done = concurtrace(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    page = browser.new_page()
    opened = Opened(page, tmp_path / done.stdout.splitlines()[-1])
    assert page.locator(".verdict").inner_text().startswith("✔ right")
    assert page.locator(".absence").all_inner_texts() == []
    assert page.locator("#functions tbody tr").count() > 20
    opened.is_quiet()
    page.close()
