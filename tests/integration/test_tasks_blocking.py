"""Calls that block a loop: each is found with its line, and nothing else is.

A hundred programs of each kind: ``nox -s blocking``.
"""

from typing import Any

import pytest

from tests.blocking_programs import blocking_program
from tests.cli import concurtrace, last_report, loops_of
from tests.reliability.blocking import asleep, wrong


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, int]]:
    folder = tmp_path_factory.mktemp("blocked")
    program, expected = blocking_program(6)
    (folder / "program.py").write_text(program)
    done = concurtrace(folder, "run", "--quiet", "--with", "states,tasks", "program.py")
    assert done.returncode == 0, done.stderr
    return last_report(folder), expected


def test_every_blocking_call_is_found_with_its_line_and_no_other(
    blocked: tuple[dict[str, Any], dict[str, int]],
) -> None:
    report, expected = blocked
    assert wrong(report, expected) == []
    assert {step["coroutine"] for step in asleep(report)} == set(expected)


def test_the_blocking_calls_are_the_first_thing_told(
    blocked: tuple[dict[str, Any], dict[str, int]],
) -> None:
    report, _ = blocked
    warnings = [one["rule"] for one in report["findings"] if one["severity"] == "warning"]
    assert "blocking-call-in-coroutine" in warnings[:2]


def test_running_tasks_are_what_kept_the_loops_thread_busy(
    blocked: tuple[dict[str, Any], dict[str, int]],
) -> None:
    report, _ = blocked
    (loop,) = loops_of(report)
    running = sum(
        task["states"].get("RUNNING", 0)
        for process in report["processes"]
        for task in process.get("tasks", ())
    )
    assert running == pytest.approx(loop["busy_ns"], rel=0.02)
