"""`concurtrace compare`: in turns, on the same work, in a directory that can be shown again."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli import concurtrace
from tests.plugin_site import install_workload

BODY = '''
"""A workload that writes down when its modes run."""
import os, threading
from concurtrace.workload import Parameter, Result, Work, Workload
WORKLOAD = Workload(parameters=(
    Parameter("size", 3, "items", 1, 9), Parameter("workers", 1, "workers", 1, 9)))

def note(name, work):
    with open(os.environ["DIARY"], "a") as diary:
        diary.write(f"{name}{work.workers} ")
    return Result([(work.size,)])

@WORKLOAD.reference
def reference(work):
    return Result([(work.size,)])

@WORKLOAD.mode()
def threads(work):
    for _ in range(work.workers):
        thread = threading.Thread(target=sum, args=([],))
        thread.start()
        thread.join()
    return note("T", work)

@WORKLOAD.mode()
def sequential(work):
    return note("S", work)

@WORKLOAD.mode()
def wrong(work):
    note("W", work)
    return Result([(0,)])
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def compare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    extra = install_workload(folder / "site", "diary", BODY)
    extra = {**extra, "DIARY": str(folder / "diary")}
    return concurtrace(folder, "compare", "diary", *arguments, extra=extra)


def shown(folder: Path) -> dict[str, Any]:
    done = concurtrace(folder, "show", "last", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["comparison"]
    return found


def test_modes_take_turns_and_the_order_changes(folder: Path) -> None:
    done = compare(folder, "--modes", "threads,sequential", "--repeat", "3", "--with", "baseline")
    assert done.returncode == 0, done.stderr
    assert (folder / "diary").read_text().split() == ["S1", "T1", "T1", "S1", "S1", "T1"]


def test_everything_is_in_one_directory_and_can_be_shown_again(folder: Path) -> None:
    done = compare(folder, "--modes", "threads,sequential", "--repeat", "2", "--with",
                   "baseline,states")  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = folder / done.stdout.strip().splitlines()[-1]
    text = page.read_text("utf-8")
    links = re.findall(r'href="(modes/[^"]+)"', text)
    assert sorted(links) == ["modes/sequential/report.html", "modes/threads/report.html"]
    assert all((page.parent / one).is_file() for one in links)
    found = shown(folder)
    assert found["reference"] == "sequential"
    assert {one["mode"]: len(one["walls_ns"]) for one in found["modes"]} == {
        "threads": 2,
        "sequential": 2,
    }
    for one in found["modes"]:
        spent = sum(one["ledger"]["spent_ns"].values())
        assert spent == pytest.approx(one["ledger"]["wall_ns"] * one["ledger"]["cores"], rel=1e-6)
        assert one["report"]["target"]["mode"] == one["mode"]
    again = concurtrace(folder, "show", "last")
    assert again.stdout.splitlines()[0].startswith("For this work on this machine:")
    assert page.parent.name in concurtrace(folder, "list", "runs").stdout


def test_a_wrong_mode_is_left_out_of_the_verdict(folder: Path) -> None:
    done = compare(folder, "--repeat", "2", "--with", "baseline", "--quiet")
    assert done.returncode == 3
    found = shown(folder)
    trouble = {one["mode"]: one["trouble"] for one in found["modes"]}
    assert trouble == {"sequential": None, "threads": None, "wrong": "its result is wrong"}
    assert found["modes"][-1]["speedup"] is None
    assert "wrong (its result is wrong)" in found["verdict"]


def test_numbers_of_workers_are_swept(folder: Path) -> None:
    done = compare(folder, "--modes", "sequential,threads", "--workers", "1,2,3", "--repeat", "1",
                   "--with", "baseline")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "diary").read_text().split() == ["S3", "T1", "T2", "T3"]
    (scaling,) = shown(folder)["scaling"]
    assert [one["workers"] for one in scaling["points"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--modes", "thread"), "Did you mean threads?"),
        (("--modes", ","), "names no mode"),
        (("--workers", "1,x"), "--workers takes numbers"),
        (("--with", "states"), "add baseline to --with"),
    ],
)
def test_wrong_usage_is_exit_2(folder: Path, arguments: tuple[str, ...], told: str) -> None:
    done = compare(folder, *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (folder / ".concurtrace").exists()


def test_two_runs_of_a_comparison_differ_in_their_mode(folder: Path) -> None:
    compare(folder, "--modes", "threads,sequential", "--repeat", "2", "--with", "baseline")
    (inside,) = (folder / ".concurtrace" / "runs").glob("*/modes")
    runs = [str(inside / name) for name in ("sequential", "threads")]
    done = concurtrace(folder, "diff", *runs, "--fail-on", "slower=100000")
    assert done.returncode == 0, done.stderr
    assert "mode: sequential became threads" in done.stdout
    assert concurtrace(folder, "diff", *runs, "--fail-on", "wrong").returncode == 2
    whole = concurtrace(folder, "diff", str(inside.parent), runs[0])
    assert whole.returncode == 2
    assert "give two of them" in whole.stderr


def test_budgets_of_a_comparison_are_checked(folder: Path) -> None:
    compare(folder, "--modes", "threads,sequential", "--repeat", "1", "--with", "baseline")
    kept = ("--max", "comparison.rounds=1", "--max-findings", "failed=0")
    assert concurtrace(folder, "check", "last", *kept).returncode == 0
    done = concurtrace(folder, "check", "last", "--min", "comparison.modes.threads.speedup=1e6")
    assert done.returncode == 1
    assert "over budget: comparison.modes.threads.speedup" in done.stdout
    assert concurtrace(folder, "check", "last").returncode == 2
