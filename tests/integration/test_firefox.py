"""The report in Firefox, from disk: quiet, readable, painted, by mouse and keys, by its address."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from concurtrace.reports.html.page import SECTIONS

from concurtrace.model.recording import Recording
from tests import builders
from tests.browser import PAINTED, write_report
from tests.builders_trace import trace
from tests.firefox import Firefox, launched

pytestmark = pytest.mark.browser
SELECTED = "#timeline-panel strong"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with launched(tmp_path_factory.mktemp("firefox")) as session:
        yield session


@pytest.fixture
def convoy(firefox: Firefox, tmp_path: Path) -> Path:
    """A report of two threads that want one lock, open with its timeline ready."""
    at = "/srv/shop/app.py:9 in inner < /srv/shop/app.py:20 in outer"
    made = (
        trace()
        .thread("MainThread").running(40).waits_gil(10, by="waiter", at=at).sleeps(50)
        .thread("waiter").waits_lock(40, "L", by="MainThread", at=at).running(10).sleeps(20)
        .build()
    )  # fmt: skip
    light = builders.one_pass("light", 110, instruments=("states",))
    recording = Recording(trace=made)
    given = builders.with_states(builders.report(light, recording=recording))
    file = write_report(tmp_path, given)
    firefox.open(file.as_uri())
    firefox.wait_for("canvas[data-ready]")
    return file


def nowhere() -> str:
    """Give the address of a picture on a port that nobody listens at, and that none forbids."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return f"http://127.0.0.1:{port}/picture.png"


def test_it_opens_from_disk_without_error_or_request(firefox: Firefox, tmp_path: Path) -> None:
    file = write_report(tmp_path, builders.everything())
    firefox.open(file.as_uri())
    firefox.wait_for("canvas[data-ready]")
    heads = firefox.evaluate(
        """[...document.querySelectorAll("main > section")]
          .map((one) => one.checkVisibility() && one.querySelector("h2").innerText)"""
    )
    assert len(heads) == len(SECTIONS)
    assert all(heads)
    assert firefox.said == []
    assert [one for one in firefox.asked if one != file.as_uri()] == []


def test_what_is_said_and_asked_for_is_heard(firefox: Firefox, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    wanted = nowhere()
    page.write_text(f'<img src="{wanted}"><script>console.log("hello"); missing();</script>')
    firefox.open(page.as_uri())
    assert wanted in firefox.asked
    assert [one.partition(":")[0] for one in firefox.said] == ["info", "error"]


def test_an_injected_script_is_refused(firefox: Firefox, tmp_path: Path) -> None:
    file = write_report(tmp_path, builders.everything())
    attack = f'<script>document.title = "owned"</script><img src="{nowhere()}">'
    file.write_text(file.read_text("utf-8").replace("<main>", f"<main>{attack}"), "utf-8")
    firefox.open(file.as_uri())
    firefox.wait_for("canvas[data-ready]")
    assert firefox.evaluate("document.title") == "crawler in mode async - concurtrace"
    assert [one for one in firefox.asked if one != file.as_uri()] == []
    refused = sorted(one.split()[2] for one in firefox.said if one.startswith("error: refused"))
    assert refused == ["img-src", "script-src-elem"]


def test_the_timeline_is_painted(firefox: Firefox, convoy: Path) -> None:
    lanes = {one["name"]: one["painted"] for one in firefox.evaluate(PAINTED)}
    assert {"MainThread", "waiter"} <= lanes.keys()
    # The waiter ends before the run does: beyond its end its lane is empty.
    assert 0 < lanes["waiter"] < lanes["MainThread"]


def test_a_click_on_a_wait_tells_who_ended_it(firefox: Firefox, convoy: Path) -> None:
    firefox.click("#timeline-waits a")
    firefox.wait_for(SELECTED)
    assert firefox.text(SELECTED) == "waiter: waiting for a lock for 40.0 ms, from 0 on"
    assert "ended by: MainThread, at that moment running Python" in firefox.text("#timeline-panel")
    firefox.click("#timeline-jump")
    assert firefox.text(SELECTED) == "MainThread: running Python for 40.0 ms, from 0 on"
    assert firefox.said == []


def test_it_is_walked_by_keyboard(firefox: Firefox, convoy: Path) -> None:
    firefox.evaluate("document.getElementById('timeline-canvas').focus()")
    for key, start in [
        ("ArrowDown", "GIL: GIL held for 40.0 ms"),
        ("ArrowDown", "MainThread: running Python for 40.0 ms"),
        ("]", "MainThread: waiting for the GIL for 10.0 ms"),
        ("Enter", "waiter: running Python for 10.0 ms"),
        ("[", "waiter: waiting for a lock for 40.0 ms"),
        ("ArrowUp", "MainThread: running Python for 40.0 ms"),
    ]:
        firefox.press(key)
        assert firefox.text(SELECTED).startswith(start), key
    firefox.press("Tab")
    assert firefox.evaluate("document.activeElement.id") != "timeline-canvas"
    assert firefox.said == []


def test_an_address_brings_back_what_was_seen(firefox: Firefox, convoy: Path) -> None:
    firefox.click("#timeline-waits tbody tr:nth-child(2) a")
    said, address = firefox.text(SELECTED), firefox.evaluate("location.href")
    assert "#timeline?" in address
    firefox.open(address)
    firefox.wait_for("canvas[data-ready]")
    firefox.wait_for(SELECTED)
    assert firefox.text(SELECTED) == said
