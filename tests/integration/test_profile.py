"""`concurtrace profile` on workloads that misbehave."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cli import concurtrace, last_report
from tests.plugin_site import install_workload

HEAD = """
'''A workload that misbehaves.'''
import os, sys, time, threading, subprocess, multiprocessing
from concurtrace.workload import Parameter, Result, Work, Workload, ServiceError
WORKLOAD = Workload(parameters=(
    Parameter("size", 3, "items", 1, 9), Parameter("workers", 1, "workers", 1, 9)))

@WORKLOAD.reference
def reference(work):
    return Result([(index,) for index in range(work.size)])
"""


def profile(
    folder: Path, body: str, *arguments: str, instruments: str = "baseline"
) -> subprocess.CompletedProcess[str]:
    extra = install_workload(folder / "site", "bad", HEAD + body)
    return concurtrace(
        folder, "profile", "bad", "--with", instruments, "--repeat", "1", *arguments, extra=extra
    )


def test_a_wrong_result_is_exit_3_with_a_report(tmp_path: Path) -> None:
    done = profile(tmp_path, "@WORKLOAD.mode()\ndef threads(work):\n    return Result([(7,)])\n")
    assert done.returncode == 3
    report = Path(tmp_path / done.stdout.strip().splitlines()[-1])
    assert report.name == "report.html"
    assert report.exists()
    assert last_report(tmp_path)["result"]["verified"] is False


def test_an_exception_prints_its_own_traceback_only(tmp_path: Path) -> None:
    done = profile(
        tmp_path, "@WORKLOAD.mode()\ndef threads(work):\n    raise LookupError('no luck')\n"
    )
    assert done.returncode == 3
    assert "LookupError: no luck" in done.stderr
    assert "bad_workload.py" in done.stderr
    assert "harness" not in done.stderr
    assert (tmp_path / done.stdout.strip().splitlines()[-1]).exists()
    shown = last_report(tmp_path)
    assert shown["result"]["exit_code"] == 1
    assert shown["passes"][0]["status"] == "partial"
    assert "no luck" in shown["passes"][0]["reason"]


def test_a_hang_ends_at_the_time_limit_and_keeps_what_was_recorded(tmp_path: Path) -> None:
    body = (
        "def busy():\n    return sum(range(10))\n"
        "@WORKLOAD.mode()\ndef threads(work):\n    busy()\n    threading.Event().wait()\n"
    )
    done = profile(tmp_path, body, "--time-limit", "2", instruments="functions")
    assert done.returncode == 3
    report = last_report(tmp_path)
    assert report["result"]["timed_out"] is True
    assert report["passes"][0]["status"] == "partial"
    assert "time limit" in report["passes"][0]["reason"]
    calls = {one["name"]: one["calls"] for one in report["hot"]["functions"]}
    assert calls["busy"] == 1


def test_processes_left_behind_are_stopped_and_named(tmp_path: Path) -> None:
    body = (
        "@WORKLOAD.mode()\ndef threads(work):\n"
        "    child = subprocess.Popen(['sleep', '1000'])\n"
        "    grandchild = subprocess.Popen(['sh', '-c', 'sleep 1000 & echo $!'],\n"
        "                                  stdout=subprocess.PIPE)\n"
        "    orphan = int(grandchild.stdout.readline())\n"
        "    return Result([(0,), (1,), (2,)], {'child': child.pid, 'orphan': orphan})\n"
    )
    done = profile(tmp_path, body)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / ".concurtrace" / "runs").iterdir()
    execution = json.loads((run / "run.json").read_text())["passes"][0]["executions"][0]
    left = set(execution["observed"].values())
    assert left == set(execution["leftovers"])
    assert not [pid for pid in left if psutil.pid_exists(pid)]


def test_a_service_that_fails_is_a_sentence(tmp_path: Path) -> None:
    body = (
        "@WORKLOAD.service\ndef service(work):\n    raise ServiceError('no port was free')\n"
        "    yield {}\n"
        "@WORKLOAD.mode()\ndef threads(work):\n    return reference(work)\n"
    )
    done = profile(tmp_path, body)
    assert done.returncode == 3
    assert "A service of bad failed: no port was free." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_target_is_told(tmp_path: Path) -> None:
    body = "@WORKLOAD.mode()\ndef threads(work):\n    os.kill(os.getpid(), 9)\n"
    done = profile(tmp_path, body)
    assert done.returncode == 3
    report = last_report(tmp_path)
    assert report["result"]["signal"] == 9
    assert "SIGKILL" in report["passes"][0]["reason"]


def test_the_mode_may_repeat(tmp_path: Path) -> None:
    body = (
        "@WORKLOAD.mode()\ndef threads(work):\n    return reference(work)\n"
        "@WORKLOAD.mode()\ndef async_(work):\n    return reference(work)\n"
    )
    done = profile(tmp_path, body, "--mode", "async", "--mode", "threads")
    assert done.returncode == 0, done.stderr
    runs = [path.name for path in (tmp_path / ".concurtrace" / "runs").iterdir()]
    assert sorted(name.split("-", 2)[2] for name in runs) == ["bad-async", "bad-threads"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_reports_what_was_finished(tmp_path: Path, number: signal.Signals) -> None:
    """The first pass ends, the second hangs until Ctrl-C; the third is skipped."""
    body = (
        "@WORKLOAD.mode()\ndef threads(work):\n"
        "    mark = work_folder / 'second'\n"
        "    if mark.exists():\n"
        "        (work_folder / 'hangs').touch()\n"
        "        threading.Event().wait()\n"
        "    mark.touch()\n"
        "    return reference(work)\n"
    )
    body = f"import pathlib\nwork_folder = pathlib.Path({str(tmp_path)!r})\n" + body
    extra = install_workload(tmp_path / "site", "bad", HEAD + body)
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "concurtrace",
            "profile",
            "bad",
            "--repeat",
            "1",
            "--with",
            "baseline,functions,lines",
        ],
        cwd=tmp_path,
        env={**os.environ, **extra},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "hangs").exists():
        assert child.poll() is None, child.communicate()
        time.sleep(0.02)
    child.send_signal(number)
    out, errors = child.communicate(timeout=60)
    assert child.returncode == 3, errors
    assert "concurtrace/" not in errors, errors
    assert (tmp_path / out.strip().splitlines()[-1]).exists()
    passes = {one["name"]: one for one in last_report(tmp_path)["passes"]}
    assert {name: one["status"] for name, one in passes.items()} == {
        "baseline": "ok",
        "functions": "partial",
        "lines": "skipped",
    }
    assert "interrupted" in passes["lines"]["reason"]


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    body = (
        "@WORKLOAD.mode(imports=('no_such_package.part',), extra='gevent')\n"
        "def threads(work):\n    return reference(work)\n"
    )
    done = profile(tmp_path, body)
    assert done.returncode == 3
    assert "no_such_package" in done.stderr
    assert 'pip install "concurtrace[gevent]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("limit", [0, 600, 3000])
def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_written(
    tmp_path: Path, limit: int
) -> None:
    """A limit on the size of files refuses writes as a full disk does, for root too."""
    body = "@WORKLOAD.mode()\ndef threads(work):\n    return reference(work)\n"
    extra = install_workload(tmp_path / "site", "bad", HEAD + body)
    done = subprocess.run(
        [sys.executable, "-m", "concurtrace", "profile", "bad", "--with", "baseline"],
        cwd=tmp_path,
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 3, done.stderr
    assert "Cannot" in done.stderr or "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    (run,) = (tmp_path / ".concurtrace" / "runs").iterdir()
    assert not (run / "report.html").exists()
    assert not [path for path in run.rglob(".*") if path.is_file()]
    # What was finished before the disk was full is whole; what was not is not shown as such.
    manifest = run / "run.json"
    finished = manifest.exists() and json.loads(manifest.read_text())["status"] == "finished"
    shown = concurtrace(tmp_path, "show", str(run), extra=extra)
    assert shown.stdout.startswith("OK") == finished, shown.stdout
    assert shown.returncode in (0, 4)
