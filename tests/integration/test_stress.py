"""``concurtrace stress`` on programs whose faults are certain, hidden, or not there."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli import concurtrace

HIDDEN_RACE = """\
import sys
import threading


class Counter:
    value = 0


def count():
    for _ in range(300):
        counter.value += 1


counter = Counter()
crew = [threading.Thread(target=count) for _ in range(2)]
for one in crew:
    one.start()
for one in crew:
    one.join()
print(*sys.argv[1:], counter.value)
"""
HANGS_WHERE_IT_WAITS = """\
import sys
import threading

if sys.getswitchinterval() < 0.0001:
    threading.Event().wait()
"""


def stress(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run it; return the exit code, the trials of its report, and the summary."""
    done = concurtrace(folder, "stress", *arguments)
    *summary, path = done.stdout.splitlines()
    document = json.loads((folder / path).read_text("utf-8"))
    return done.returncode, document["trials"], "\n".join(summary)


def verdicts(trials: list[dict[str, Any]]) -> list[str]:
    return [one["verdict"] for one in trials]


def test_a_race_is_found_and_repeated_by_the_command_that_is_given(tmp_path: Path) -> None:
    code, trials, summary = stress(tmp_path, "race", "--fault", "unsynchronised", "--runs", "3")
    assert code == 3
    assert verdicts(trials) == ["differs"] * 3
    assert trials[2]["command"] in summary
    assert len({json.dumps(one["setting"]) for one in trials}) == 3
    command, *arguments = shlex.split(trials[2]["command"])
    assert command == "concurtrace"
    code, (again,), _ = stress(tmp_path, *arguments[1:])
    assert (code, again["verdict"]) == (3, "differs")
    assert again["setting"] == trials[2]["setting"]


def test_a_healthy_workload_is_alike_however_its_processes_are_started(tmp_path: Path) -> None:
    code, trials, summary = stress(tmp_path, "race", "--mode", "processes", "--runs", "4")
    assert (code, verdicts(trials)) == (0, ["ok"] * 4)
    assert summary == "race: 4 runs, all of them alike."
    assert {one["setting"]["start_method"] for one in trials} == {"fork", "spawn", "forkserver"}


def test_a_deadlock_is_told_by_the_lines_where_it_waits(tmp_path: Path) -> None:
    arguments = ("philosophers", "--fault", "naive", "--runs", "1", "--time-limit", "1.5")
    code, (trial,), _ = stress(tmp_path, *arguments)
    assert (code, trial["verdict"]) == (3, "hangs")
    assert "philosophers.py" in trial["reason"]
    assert "most recent call first" in (tmp_path / trial["folder"] / "errors").read_text()


def test_pauses_within_a_line_show_a_race_that_never_shows_else(tmp_path: Path) -> None:
    (tmp_path / "hidden.py").write_text(HIDDEN_RACE)
    plain = stress(tmp_path, "--yields", "0", "--runs", "2", "hidden.py", "--for", "600")
    assert verdicts(plain[1]) == ["ok", "ok"]
    code, trials, _ = stress(tmp_path, "--runs", "8", "hidden.py", "--for", "600")
    assert code == 3
    assert trials[0]["verdict"] == "ok"
    assert "differs" in verdicts(trials)
    assert all(one["setting"]["yields"] for one in trials if one["verdict"] != "ok")


def test_a_suite_whose_tests_pass_alone_is_found_flaky(tmp_path: Path) -> None:
    code, trials, _ = stress(tmp_path, "test-suite", "--fault", "flaky", "--runs", "4")
    assert code == 3
    assert trials[0]["verdict"] == "ok"
    assert "differs" in verdicts(trials)


def test_a_script_that_hangs_or_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(HANGS_WHERE_IT_WAITS)
    arguments = ("--runs", "2", "--switch-interval-us", "5000,1", "--time-limit", "2")
    code, trials, _ = stress(tmp_path, *arguments, "hangs.py")
    assert (code, verdicts(trials)) == (3, ["ok", "hangs"])
    assert "hangs.py:5 in <module>" in trials[1]["reason"]
    code, (trial,), _ = stress(tmp_path, "--runs", "1", "-c", "raise ValueError('no')")
    assert (code, trial["verdict"]) == (3, "fails")
    assert "ValueError: no" in trial["reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rase",), "Did you mean race"),
        (("race", "--workers", "0"), "1 is the least"),
        (("race", "--workers", "1"), "workers must be"),
        (("race", "--start-method", "frok"), "Did you mean fork?"),
        (("--mode", "threads", "-c", "1"), "for workloads"),
    ],
)
def test_wrong_usage_is_said_before_anything_runs(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = concurtrace(tmp_path, "stress", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / ".concurtrace").exists()
