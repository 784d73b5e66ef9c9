"""The timeline while it is read and while it moves: byte by byte, and pixel by pixel."""

import base64
import functools
import http.server
import random
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from concurtrace.reports.html import RENDERER
from concurtrace.reports.html.lanes import REASONS, Intervals, Lane, LaneKind, lay_out
from concurtrace.reports.html.pack import pack
from concurtrace.reports.html.sections import timeline
from playwright.sync_api import Browser, Page

from concurtrace.model.report import Report
from tests.browser import Opened, write_report
from tests.integration.test_browser_states import of
from tests.unit.reports.test_lanes import random_trace

pytestmark = pytest.mark.browser

MOVES = (1, 10, -10, 37, -1, 400, -3000, 250, 5, -700, 100_000, -3, -100_000, 2)
MOVED_AND_FRESH = """([zooms, moves]) => {
  const canvas = document.getElementById("timeline-canvas");
  const view = canvas.concurtraceView;
  const { width, height } = canvas;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  const pixels = () => {
    context.clearRect(0, 0, width, height);
    context.drawImage(canvas, 0, 0);
    return new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  };
  const { columns } = Lanes;
  const found = [];
  for (const [t0, t1] of zooms) {
    view.range(t0, t1);
    view.draw();
    for (const move of moves) {
      let asked = 0;
      Lanes.columns = (...given) => {
        asked = Math.max(asked, given[7] - given[6]);
        return columns(...given);
      };
      const before = view.t0;
      view.by(move);
      view.draw();
      const moved = pixels();
      const far = asked;
      view.kept.forget();
      view.draw();
      const fresh = pixels();
      const differ = moved.reduce((sum, one, index) => sum + (one !== fresh[index]), 0);
      const gone = Math.round((Math.abs(view.t0 - before) / (t1 - t0)) * view.columns);
      found.push([differ, far, gone, asked]);
    }
  }
  return found;
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = browser.new_page(viewport={"width": 1300, "height": 900})
    yield made
    made.close()


def opened(page: Page, file: Path) -> Opened:
    found = Opened(page, file)
    page.locator("canvas[data-ready]").wait_for()
    return found


@pytest.mark.parametrize("ratio", [1, 1.5])
def test_a_moved_picture_is_the_one_painted_anew(
    browser: Browser, tmp_path: Path, ratio: float
) -> None:
    made = random_trace(11, 3000)
    length = lay_out(made).length
    zooms = [(0.1 * length, 0.9 * length), (0.3 * length, 0.4 * length), (5_000, 9_000)]
    context = browser.new_context(
        viewport={"width": 1300, "height": 900}, device_scale_factor=ratio
    )
    page = context.new_page()
    found = opened(page, write_report(tmp_path, of(made)))
    rows = page.evaluate(MOVED_AND_FRESH, [zooms, MOVES])
    assert len(rows) == len(zooms) * len(MOVES)
    assert [row for row in rows if row[0]] == []
    # Of a picture that moved only what is new was painted, else nothing would have been compared.
    assert sum(asked == gone < whole for _, asked, gone, whole in rows) > len(rows) / 2
    assert all(asked in (gone, whole) for _, asked, gone, whole in rows)
    found.is_quiet()
    context.close()


def test_columns_are_the_same_whichever_are_asked_for(page: Page, tmp_path: Path) -> None:
    opened(page, write_report(tmp_path, of(random_trace(3, 4000))))
    differ = page.evaluate(
        """() => {
          const view = document.getElementById("timeline-canvas").concurtraceView;
          const states = view.looks.length;
          let differ = 0, compared = 0;
          for (const [count, t0, t1] of [[40, 0, view.data.length], [700, 3000, 2e6]]) {
            for (const lane of view.lanes) {
              const some = (...range) =>
                Lanes.columns(lane, view.stateOf, states, t0, t1, count, ...range);
              const all = some();
              for (const [from, to] of [[0, 3], [5, 6], [17, 40], [39, 40]]) {
                some(from, to).forEach((ticks, index) => {
                  compared++;
                  differ += ticks !== all[from * states + index];
                });
              }
            }
          }
          return [differ, compared > 1000];
        }"""
    )
    assert differ == [0, True]


def test_small_moves_of_the_wheel_add_up(page: Page, tmp_path: Path) -> None:
    opened(page, write_report(tmp_path, of(random_trace(5))))
    columns = page.evaluate(
        """() => {
          const canvas = document.getElementById("timeline-canvas");
          const view = canvas.concurtraceView;
          view.range(view.data.length / 4, view.data.length / 2);
          const before = view.t0;
          for (let count = 0; count < 10; count++) {
            canvas.dispatchEvent(new WheelEvent("wheel", { deltaX: 0.3, cancelable: true }));
          }
          return ((view.t0 - before) / (view.t1 - view.t0)) * view.columns;
        }"""
    )
    assert columns == pytest.approx(3)


def lanes_read(page: Page) -> list[tuple[list[int], list[int]]]:
    """The durations and states of every lane as the page has them."""
    found: list[tuple[list[int], list[int]]] = page.evaluate(
        """() => {
          const { lanes, stateOf } = document.getElementById("timeline-canvas").concurtraceView;
          return lanes.map((lane) => [[...lane.starts].slice(1).map((end, at) =>
            end - lane.starts[at]), [...lane.kinds].map((kind) => stateOf[kind])]);
        }"""
    )
    return found


def are_those_of(shown: list[tuple[list[int], list[int]]], given: Report) -> None:
    trace = given.recording.trace
    assert trace is not None
    layout = lay_out(trace)
    assert len(shown) == len(layout.lanes)
    for lane, (dur, states) in zip(layout.lanes, shown, strict=True):
        assert dur == lane.intervals.dur.tolist()
        kinds = (lane.intervals.kind // REASONS).tolist()
        assert len(set(zip(kinds, states, strict=True))) == len(set(kinds))


@pytest.fixture
def many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "pack", functools.partial(pack, most=700))


@pytest.mark.usefixtures("many_blocks")
def test_blocks_are_read_and_let_go(page: Page, tmp_path: Path) -> None:
    given = of(random_trace(6, 1000))
    found = opened(page, write_report(tmp_path, given))
    assert RENDERER.render(given).count('id="block-timeline-') > 5
    assert page.locator("[id^=block-]").count() == 0
    are_those_of(lanes_read(page), given)
    found.is_quiet()


@pytest.mark.usefixtures("many_blocks")
def test_a_page_that_comes_slowly_is_read_as_it_comes(page: Page) -> None:
    given = of(random_trace(6, 1000))
    content = RENDERER.render(given).encode()
    cut = content.index(b'id="block-timeline-3"') + 500
    go_on = threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content[:cut])
            self.wfile.flush()
            go_on.wait()
            self.wfile.write(content[cut:])

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            page.goto(f"http://127.0.0.1:{server.server_port}/", wait_until="commit")
            # The blocks that are there have been read and let go; the one that is cut has not.
            page.locator("#block-timeline-3").wait_for(state="attached")
            page.locator("#block-timeline-2").wait_for(state="detached")
            assert page.locator("canvas[data-ready]").count() == 0
            go_on.set()
            page.locator("canvas[data-ready]").wait_for()
        finally:
            go_on.set()
            server.shutdown()
            thread.join()
    are_those_of(lanes_read(page), given)


INFLATED = """([packed, length]) => {
  const out = new Uint8Array(length);
  try {
    Inflate.gunzip(Uint8Array.from(atob(packed), (char) => char.charCodeAt(0)), out);
  } catch (error) {
    return error.message;
  }
  return btoa(Array.from(out, (byte) => String.fromCharCode(byte)).join(""));
}"""
DAMAGED = "a block of the timeline is damaged"
GZIP = 31
RANDOM = random.Random(4)
BYTES = {
    "none": b"",
    "one": b"a",
    "alike": bytes(70_000),
    "noise": RANDOM.randbytes(70_000),
    "skewed": bytes(min(255, int(RANDOM.expovariate(0.05))) for _ in range(70_000)),
    "far": RANDOM.randbytes(32_000) * 2,
}
WAYS = {
    "stored": (0, zlib.Z_DEFAULT_STRATEGY),
    "fixed": (6, zlib.Z_FIXED),
    "matches": (9, zlib.Z_DEFAULT_STRATEGY),
    "filtered": (6, zlib.Z_FILTERED),
    "codes only": (6, zlib.Z_HUFFMAN_ONLY),
    "runs": (6, zlib.Z_RLE),
}


def packed(data: bytes, level: int, strategy: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, GZIP, 9, strategy)
    return packer.compress(data) + packer.flush()


def inflated(page: Page, content: bytes, length: int) -> bytes | str:
    """What the page makes of packed bytes, or what it says is wrong."""
    found: str = page.evaluate(INFLATED, [base64.b64encode(content).decode(), length])
    return found if found == DAMAGED else base64.b64decode(found, validate=True)


def test_what_was_packed_is_unpacked(page: Page, tmp_path: Path) -> None:
    opened(page, write_report(tmp_path, of(random_trace(1, 5))))
    for data in BYTES.values():
        for way in WAYS.values():
            assert inflated(page, packed(data, *way), len(data)) == data


def test_damaged_bytes_are_told(page: Page, tmp_path: Path) -> None:
    opened(page, write_report(tmp_path, of(random_trace(1, 5))))
    data = BYTES["skewed"][:3000]
    for way in WAYS.values():
        whole = packed(data, *way)
        assert inflated(page, whole, len(data) - 1) == DAMAGED
        assert inflated(page, whole, len(data) + 1) == DAMAGED
        for at in RANDOM.sample(range(10, len(whole)), 15):
            assert inflated(page, whole[:at], len(data)) == DAMAGED
            flipped = bytes([whole[at] ^ 1 << RANDOM.randrange(8)])
            # A few bits mean nothing: those between a block and the next whole byte.
            assert inflated(page, whole[:at] + flipped + whole[at + 1 :], len(data)) in (
                DAMAGED,
                data,
            )


@pytest.mark.parametrize("largest", [200, 60_000, 1 << 31])
def test_columns_of_every_width_are_unpacked(page: Page, tmp_path: Path, largest: int) -> None:
    opened(page, write_report(tmp_path, of(random_trace(1, 5))))
    chosen = np.random.default_rng(largest)
    columns = [chosen.integers(0, most, 900) for most in (1_000_000, min(largest, 60_000))]
    columns += [chosen.integers(0, largest, 900) for _ in range(3)]
    (block,) = pack((Lane(LaneKind.THREAD, 0, 0, 7, Intervals(*columns)),))
    shown = page.evaluate(
        """([text, shape, widths]) => {
          const [lane] = Lanes.empty({ widths, lanes: [["", "", "thread", 7, 900]] });
          Lanes.fill([lane], shape, Lanes.unpack(text, Lanes.sizeOf(shape)));
          return [lane.starts, lane.kinds, lane.what, lane.who, lane.on].map((one) => [...one]);
        }""",
        [block.text, [block.pieces, block.widths], block.widths],
    )
    starts, *others = shown
    assert starts == [7, *(7 + np.cumsum(columns[0])).tolist()]
    assert others == [one.tolist() for one in columns[1:]]


@pytest.mark.parametrize("how", ["changed", "cut in a block", "cut before it"])
def test_a_damaged_file_leaves_the_words(page: Page, tmp_path: Path, how: str) -> None:
    file = write_report(tmp_path, of(random_trace(1)))
    text = file.read_text("utf-8")
    block = text.index('<script type="application/octet-stream" id="block-timeline-0"')
    at = text.index(">", block) + 201
    changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    damaged = {"changed": changed, "cut in a block": text[:at], "cut before it": text[:block]}
    file.write_text(damaged[how], "utf-8")
    page.goto(file.as_uri())
    said = "the file is cut off" if how == "cut before it" else DAMAGED
    page.locator("#timeline-panel", has_text=said).wait_for()
    assert page.locator("#timeline-waits tbody tr").count() > 0
