"""Names that attack a page, in a real run: from the program to every renderer and the browser."""

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from concurtrace import api, discovery
from concurtrace.discovery import Kind
from concurtrace.rundir import store
from tests.browser import Opened
from tests.builders_hostile import HOSTILE
from tests.cli import concurtrace
from tests.integration.test_timeline import nodes

pytestmark = pytest.mark.browser

PROGRAM = r"""
import asyncio, json, multiprocessing, sys, threading, types
from pathlib import Path

names = json.loads(Path(__file__).parent.joinpath("names.json").read_text())

def named(function, name):
    code = function.__code__.replace(
        co_name=name, co_qualname=name, co_filename=f"/srv/{name}/{name}.py"
    )
    return types.FunctionType(code, globals(), name)

def work(lock, ready):
    ready.wait()
    with lock:
        sum(range(10_000))

async def waiting():
    await asyncio.sleep(0.001)

async def main():
    tasks = [asyncio.create_task(named(waiting, one)(), name=one) for one in names]
    await asyncio.gather(*tasks)

def in_threads():
    lock, ready = threading.Lock(), threading.Barrier(len(names))
    threads = [
        threading.Thread(target=named(work, one), args=(lock, ready), name=one) for one in names
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

def in_processes():
    children = [multiprocessing.Process(target=int, name=one) for one in names]
    for one in children:
        one.start()
    for one in children:
        one.join()

in_threads()
asyncio.run(main())
in_processes()
"""
NAMES = tuple(HOSTILE.values())
ARGUMENTS = tuple(one.replace("\0", "") for one in NAMES)
# A path may hold everything but NUL, and a slash makes a folder.
FILE = os.fsdecode(b"x</script><img src=x onerror=alert(1)>\xe2\x80\xae'\" caf\xe9.py")
SEEN = (
    "<script>alert(1)</script>",
    "onmouseover='alert(1)'",
    "&lt;b&gt; &amp; &#60;",
    "{{ 7*7 }}{% raw %}",
    r"\u202egnp.\u202c",
    r"\x1b[31mred\x00\x07",
    r"caf\udce9\udcff",
    "very_long_name_very_long_name_",
    "[b](javascript:alert(1))",
)
"""What a reader sees of each: as it is, or escaped."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of a program in which everything is named to do harm."""
    made = tmp_path_factory.mktemp("hostile")
    file = made / FILE
    file.parent.mkdir()
    file.write_text(PROGRAM, "utf-8")
    (file.parent / "names.json").write_text(json.dumps(NAMES))
    instruments = "baseline,states,tasks,cores,functions,memory"
    done = concurtrace(made, "run", "--repeat", "1", "--with", instruments, FILE, *ARGUMENTS)
    assert done.returncode == 0, done.stderr
    return made


def test_no_name_is_obeyed_by_the_page(browser: Browser, folder: Path) -> None:
    (report,) = folder.glob(".concurtrace/runs/*/report.html")
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    opened = Opened(page, report)
    page.locator("canvas[data-ready]").wait_for()
    for link in page.locator("#timeline-waits a").all():
        link.dispatch_event("click")
    page.locator("#timeline-twin summary").click()
    page.locator("#timeline-table tbody th").first.wait_for()
    assert page.locator("main img").count() == 0
    assert page.locator("script:not([type])").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    text = page.locator("main").text_content() or ""
    assert [one for one in SEEN if one not in text] == []
    opened.is_quiet()
    page.close()


def test_every_renderer_tells_of_them(folder: Path) -> None:
    report = api.load(store.find("last", folder / store.RUNS))
    for name in discovery.modules(Kind.RENDERER):
        content = api.render(report, name)
        assert not any(one in content for one in (b"\x1b[31m", b"red\0\x07")), name
    assert report.states is not None
    threads = {one.name for process in report.states.processes for one in process.threads}
    assert {one[:40] for one in threads} >= {one[:40] for one in NAMES if one.isprintable()}


def test_calls_are_followed_whatever_their_names(folder: Path) -> None:
    names = [one for one in NAMES if one != HOSTILE["bytes"]]
    program = folder / "calls.py"
    program.write_text(PROGRAM, "utf-8")
    (folder / "names.json").write_text(json.dumps(names))
    done = concurtrace(folder, "run", "--with", "timeline", program.name)
    assert done.returncode == 0, done.stderr
    timeline = api.load(store.find("last", folder / store.RUNS)).recording.timeline
    assert timeline is not None
    assert timeline.losses == ()
    called = {one.function.name for tree in timeline.trees for one in nodes(tree.roots)}
    # viztracer ends a name at its first NUL.
    assert {one.partition("\0")[0] for one in names} <= called
