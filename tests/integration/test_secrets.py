"""Credentials among real arguments and variables: in no report, and nowhere in the run's folder."""

import base64
import gzip
import re
from pathlib import Path

import pytest

from concurtrace import api, discovery
from concurtrace.discovery import Kind
from concurtrace.rundir import store
from tests.cli import concurtrace

HIDDEN = "correct-horse-battery-staple"
KEY = "AKIA" + "A1" * 8
ARGUMENTS = (
    *("--api-token", HIDDEN, f"--password={HIDDEN}", f"DB_PASS={HIDDEN}"),
    *(f"postgres://me:{HIDDEN}@db/shop", f"see {KEY}"),
)
PROGRAM = """
import multiprocessing, os, subprocess, sys
def work():
    return sum(range(1000))
if __name__ == "__main__":
    given = sys.argv[1:]
    assert os.environ["SHOP_API_KEY"] == given[1]
    subprocess.run(["true", *given], check=True)
    subprocess.run(["sh", "-c", f"true --password {given[1]}"], check=True)
    subprocess.run([sys.executable, "-c", f"password = {given[1]!r}", *given], check=True)
    child = multiprocessing.get_context("spawn").Process(target=work)
    child.start()
    child.join()
    os.execv(sys.executable, [sys.executable, "-c", "pass", *given])
"""
PLACES = tuple(one.encode() for one in (HIDDEN, KEY))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run whose target was given credentials in every way."""
    made = tmp_path_factory.mktemp("secrets")
    (made / "shop.py").write_text(PROGRAM)
    done = concurtrace(
        made,
        *("run", "--with", "states,tasks,cores,memory,timeline"),
        *("shop.py", *ARGUMENTS),
        extra={"SHOP_API_KEY": HIDDEN},
    )
    assert done.returncode == 0, done.stderr
    assert not any(one in done.stdout + done.stderr for one in (HIDDEN, KEY))
    return made


def unpacked(content: bytes) -> bytes:
    """The content with the packed blocks of a page beside it as they are before packing."""
    blocks = re.findall(rb'<script type="application/octet-stream"[^>]*>([^<]+)</script>', content)
    return b"\n".join([content, *(gzip.decompress(base64.b64decode(one)) for one in blocks)])


def test_no_file_of_the_run_holds_one(folder: Path) -> None:
    run = store.find("last", folder / store.RUNS)
    files = [path for path in run.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} > {".html", ".json", ".jsonl", ".ctr"}
    holding = [
        str(path.relative_to(run))
        for path in files
        if any(one in unpacked(path.read_bytes()) for one in PLACES)
    ]
    assert holding == []


def test_what_was_masked_is_still_told(folder: Path) -> None:
    shown = concurtrace(folder, "show", "last", "--format", "json").stdout
    assert '"--api-token", "***"' in re.sub(r"\s+", " ", shown)
    assert "--password=***" in shown


def test_no_renderer_shows_one(folder: Path) -> None:
    report = api.load(store.find("last", folder / store.RUNS))
    for name in discovery.modules(Kind.RENDERER):
        content = unpacked(api.render(report, name))
        assert not any(one in content for one in PLACES), name


def test_code_given_as_text_is_an_argument_too(tmp_path: Path) -> None:
    one = f"password = {HIDDEN!r}\nfor _ in range(3):\n    len(password)\n"
    over_lines = one.replace("'", "'''").replace("-horse", "-horse\n")
    for code in (one, over_lines):
        done = concurtrace(tmp_path, "run", "--with", "lines", "-c", code)
        assert done.returncode == 0, done.stderr
        run = store.find("last", tmp_path / store.RUNS)
        lines = api.load(run).recording.lines
        assert lines is not None
        assert max(one.hits for table in lines.tables for one in table.lines) >= 3
        for path in run.rglob("*"):
            assert not path.is_file() or b"correct-horse" not in path.read_bytes(), path


def test_a_command_that_repeats_a_trial_has_a_gap_where_one_was(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text("raise SystemExit(1)")
    done = concurtrace(tmp_path, "stress", "--runs", "1", "fails.py", "--api-token", HIDDEN)
    file = tmp_path / done.stdout.splitlines()[-1]
    assert "--api-token '***'" in done.stdout
    assert HIDDEN not in done.stdout + done.stderr + file.read_text("utf-8")
