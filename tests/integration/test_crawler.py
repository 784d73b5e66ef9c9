"""The crawler against its site: what is asked for, in which order, and what goes wrong how."""

import json
import multiprocessing
import os
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from concurtrace.workloads import _service
from concurtrace.workloads._site.specification import Site
from concurtrace.workloads.crawler import WORKLOAD, pages
from concurtrace.workloads.crawler.frontier import Frontier

from concurtrace.launch import plan
from concurtrace.workload import Result, ServiceError, Value, Work
from tests.alone import ALONE, BEFORE, run_alone

MODES = list(WORKLOAD.modes)
PARSERS = [name for name in pages.PARSERS if name != pages.WITH_SOUP]


def work(site: str = "", **changes: Value) -> Work:
    tiny = dict(plan.workload_target("crawler", None, "tiny", {}).parameters)
    given = {name.replace("_", "-"): value for name, value in changes.items()}
    return Work({**tiny, "latency-ms": 0, **given}, {"site": site})


def crawl(mode: str, of: Work) -> Result:
    """Crawl here, or in a process that has the parsers and the temporary directory of this one."""
    if mode not in ALONE:
        result: Result = WORKLOAD.modes[mode].function(of)
        return result
    return run_alone("crawler", mode, of, partial(use_parsers, pages.PARSERS))


def use_parsers(parsers: dict[str, Callable[[str], pages.Content]]) -> None:
    pages.PARSERS.update(parsers)


@contextmanager
def served(of: Work) -> Iterator[Work]:
    with WORKLOAD.serve(of) as services:
        yield Work(of.parameters, services)


def requests_of(site: str) -> dict[str, int]:
    """How often each path was asked for, in the order of the first time."""
    with urllib.request.urlopen(f"{site}/-/requests") as answer:  # noqa: S310
        counts: dict[str, int] = json.load(answer)
    return counts


def server_of(site: str) -> psutil.Process:
    """The process that serves a site: the child of ours that listens there."""
    port = int(site.rpartition(":")[2])
    return next(
        child
        for child in psutil.Process().children(recursive=True)
        if any(one.laddr.port == port for one in child.net_connections("inet"))
    )


def breadth_first(site: Site) -> list[str]:
    """The order in which one visitor finds the pages: by the links as they stand in the HTML."""
    todo, order = deque(["/"]), ["/"]
    while todo:
        path = todo.popleft()
        resource = site.resource(path)
        assert resource is not None
        page = pages.read_page(path, resource.status, resource.headers, resource.body, "stdlib")
        new = [link for link in page.links if link not in order]
        order += new
        todo += new
    return order


@pytest.mark.parametrize("mode", MODES)
def test_every_page_is_fetched_once(mode: str) -> None:
    with served(work(size=40)) as of:
        result = crawl(mode, of)
        counts = requests_of(of.services["site"])
    assert set(counts) == set(Site(of).paths)
    assert set(counts.values()) == {1}
    assert len(result.records) == len(counts)


@pytest.mark.parametrize("mode", MODES)
def test_pages_are_fetched_in_the_order_in_which_they_are_found(mode: str) -> None:
    with served(work(size=40, workers=1)) as of:
        crawl(mode, of)
        asked = list(requests_of(of.services["site"]))
    assert asked == breadth_first(Site(of))


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ALONE])
@pytest.mark.parametrize("parser", PARSERS)
def test_every_parser_gives_the_expected_records(mode: str, parser: str) -> None:
    with served(work(parser=parser)) as of:
        assert crawl(mode, of).checksum == WORKLOAD.expected(of).checksum


def test_the_site_holds_what_its_parameters_say() -> None:
    of = work(size=30, images=4, redirects=3, dead_links=2, page_kb=4, image_kb=9, latency_ms=10)
    site = Site(of)
    found = [site.resource(path) for path in site.paths]
    statuses = [one.status for one in found if one]
    assert (statuses.count(200), statuses.count(301), statuses.count(404)) == (34, 3, 2)
    images = [one for one in found if one and one.headers.get("Content-Type") == "image/png"]
    assert len(images) == 4
    assert all(9000 <= len(one.body) <= 9300 for one in images)
    sizes = [len(one.body) for one in found if one and one.words]
    assert len(sizes) == 30
    assert 3500 <= sum(sizes) / len(sizes) <= 6500
    delays = [one.delay_s for one in found if one]
    assert 0.010 <= min(delays) < max(delays) <= 0.015
    assert site.resource("/page/30") is None


def test_images_are_images() -> None:
    drawn = Site(work(images=1, image_kb=3)).resource("/image/0.png")
    assert drawn is not None
    chunks = dict(chunks_of(drawn.body))
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (width, height, depth, colour) == (55, 55, 8, 0)
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == height * (1 + width)
    assert set(rows[:: 1 + width]) == {0}


def chunks_of(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        named = png[at + 4 : at + 8 + length]
        at += 12 + length
        assert struct.pack(">I", zlib.crc32(named)) == png[at - 4 : at]
        yield named[:4], named[4:]


@pytest.mark.parametrize("size", [1, 2, 50])
def test_everything_on_the_site_can_be_found(size: int) -> None:
    site = Site(work(size=size, images=7, redirects=5, dead_links=3))
    assert sorted(breadth_first(site)) == sorted(site.paths)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        ("/b", ("/b",)),
        ("b?x=1#top", ("/a/b?x=1",)),
        ("../b", ("/b",)),
        ("#top", ("/a/page",)),
        ("", ()),
        ("//elsewhere.example/b", ()),
        ("https://elsewhere.example/b", ()),
        ("mailto:someone@example.com", ()),
        ("/b&amp;c", ("/b&c",)),
    ],
)
def test_a_link_is_resolved_against_its_page(
    parser: str, written: str, resolved: tuple[str, ...]
) -> None:
    body = f'<title>T</title><a href="{written}">x</a><a name="y">y</a><p>two words</p>'.encode()
    page = pages.read_page("/a/page", 200, {"Content-Type": "text/html"}, body, parser)
    assert page == pages.Page("/a/page", 200, "T", len(body), 2, resolved)


def test_only_html_without_error_is_parsed() -> None:
    body = b'<title>T</title><a href="/b">x</a>'
    html = {"Content-Type": "text/html; charset=utf-8"}
    for status, headers in ((404, html), (500, html), (200, {"Content-Type": "image/png"})):
        page = pages.read_page("/a", status, headers, body, "bs4")
        assert page == pages.Page("/a", status, "", len(body), 0, ())
    moved = pages.read_page("/a", 301, {"Location": "/b"}, b"", "bs4")
    assert moved.links == ("/b",)


def test_a_frontier_gives_every_link_once() -> None:
    frontier = Frontier()
    assert frontier.new(["/", "/a", "/a", "/b"]) == ["/a", "/b"]
    assert frontier.new(["/b", "/c", "/a"]) == ["/c"]


@contextmanager
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Check that no thread, process or file outlives a crawl, however it ended."""
    before = (set(threading.enumerate()), set(psutil.Process().children(recursive=True)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path))
        yield
    after = (set(threading.enumerate()), set(psutil.Process().children(recursive=True)))
    assert after == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_site_that_is_not_there_is_an_error_with_its_url(mode: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        site = f"http://127.0.0.1:{free.getsockname()[1]}"
    with nothing_left(tmp_path), pytest.raises(pages.FetchError) as caught:
        crawl(mode, work(site))
    assert caught.value.url == f"{site}/"
    assert f"{site}/: " in str(caught.value)
    assert "refused" in str(caught.value) or "Connect call failed" in str(caught.value)


class _HangsUp(socketserver.StreamRequestHandler):
    """Answers ``/`` with links to many pages, hangs up on ``/page/3``, and notes what is asked."""

    body = b"".join(b'<a href="/page/%d">x</a>' % number for number in range(30))
    notes = Path()

    def handle(self) -> None:
        while line := self.rfile.readline():
            path = line.split()[1].decode()
            while self.rfile.readline().strip():
                pass
            with self.notes.open("a") as notes:
                notes.write(f"{path}\n")
            if path == "/page/3":
                return
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
            self.wfile.write(head % len(self.body) + self.body)


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_breaks_ends_the_crawl_with_the_url(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_HangsUp, "notes", tmp_path / "asked")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _HangsUp) as server:
        # In a process of its own: a mode may fork, which a process with threads had better not.
        context = multiprocessing.get_context("fork")
        process = context.Process(target=server.serve_forever, daemon=True)
        process.start()
    site = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        with pytest.raises(pages.FetchError) as caught:
            crawl(mode, work(site, workers=1))
    finally:
        process.kill()
        process.join()
    assert caught.value.url == f"{site}/page/3"
    # It ended there: nothing of the rest was asked for.
    asked = (tmp_path / "asked").read_text().split()
    assert list(dict.fromkeys(asked)) == ["/", "/page/0", "/page/1", "/page/2", "/page/3"]


def _fail(html: str) -> pages.Content:
    raise LookupError(f"a page of {len(html)} characters")


@pytest.mark.parametrize("mode", MODES)
def test_an_error_in_a_worker_is_raised_as_it_is(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pages.PARSERS, "bs4", _fail)
    with served(work()) as of:
        with nothing_left(tmp_path), pytest.raises(LookupError, match="a page of") as caught:
            crawl(mode, of)
        asked = requests_of(of.services["site"])
    assert asked == {"/": 1}
    if mode in ("processes", "executor-processes"):
        assert "in _fail" in str(caught.value.__cause__)


def _die(_html: str) -> pages.Content:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_worker_process_that_dies_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pages.PARSERS, "bs4", _die)
    with (
        served(work()) as of,
        nothing_left(tmp_path),
        pytest.raises(ChildProcessError, match="crawler-1 died at its work, exit code -9"),
    ):
        crawl("processes", of)
    with served(work()) as of, nothing_left(tmp_path), pytest.raises(BrokenProcessPool):
        crawl("executor-processes", of)


INTERRUPTED = f"""
{BEFORE}
import os, signal, threading
from concurtrace.workload import Work
from concurtrace.workloads.crawler import WORKLOAD, pages

def interrupt(html):
    if "page 0</title>" in html:
        # As a terminal does it: the whole group, processes and all.
        os.killpg(0, signal.SIGINT)
    return pages.Content("", 0, ["/page/%d" % number for number in range(50)])

pages.PARSERS["bs4"] = interrupt
# Whoever started the tests in the background had SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    WORKLOAD.modes[sys.argv[1]].function(Work(eval(sys.argv[3]), {{"site": sys.argv[4]}}))
except KeyboardInterrupt:
    print(threading.active_count())
"""


@pytest.mark.parametrize("mode", MODES)
def test_an_interrupt_ends_it_and_leaves_nothing(mode: str, tmp_path: Path) -> None:
    with served(work()) as of:
        parameters, site = repr(dict(of.parameters)), of.services["site"]
        before = WORKLOAD.modes[mode].before or ""
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, mode, before, parameters, site],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            process_group=0,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_server_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCURTRACE_AGENT", "/nowhere")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    monkeypatch.setenv("KEPT", "yes")
    with served(work()) as of:
        environment = server_of(of.services["site"]).environ()
    assert environment["KEPT"] == "yes"
    assert not [name for name in environment if name.startswith(("CONCURTRACE_", "LD_PRELOAD"))]


def test_the_server_ends_with_the_block() -> None:
    with served(work()) as of:
        site = of.services["site"]
        server = server_of(site)
    assert not server.is_running()
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(site)  # noqa: S310


def test_the_server_dies_with_whoever_started_it() -> None:
    code = (
        "import signal, sys\n"
        "from concurtrace.workload import Work\n"
        "from concurtrace.workloads.crawler import WORKLOAD\n"
        f"with WORKLOAD.serve(Work({dict(work().parameters)!r})) as services:\n"
        "    print(services['site'], flush=True)\n"
        "    signal.pause()\n"
    )
    command = (sys.executable, "-c", code)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        server = server_of(starter.stdout.readline().strip())
        starter.kill()
    server.wait(timeout=60)
    assert not server.is_running()


def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = (sys.executable, "-c", "raise OSError('no port is free')")
    monkeypatch.setattr(_service, "COMMAND", failing)
    with pytest.raises(ServiceError, match="exit code 1: OSError: no port is free"), served(work()):
        pytest.fail("it seems to have started")
    monkeypatch.setattr(_service, "COMMAND", ("/nowhere/python",))
    with pytest.raises(ServiceError, match="could not be started"), served(work()):
        pytest.fail("it seems to have started")


def test_a_server_that_dies_under_way_is_told() -> None:
    with pytest.raises(ServiceError, match="exit code -9"):
        serve_until_killed()


def serve_until_killed() -> None:
    with served(work()) as of:
        server = server_of(of.services["site"])
        server.kill()
        # Its parent, the service, is to find out how it ended: it must not be waited for here.
        while server.status() != psutil.STATUS_ZOMBIE:
            os.sched_yield()
