"""Every mistake ends in one sentence that says what to do, with the exit code of the contract."""

import os
from pathlib import Path

import pytest

from tests.cli import concurtrace, last_report

USAGE = [
    (("profile", "crawlr"), "Did you mean crawler"),
    (("profile", "crawler", "--mode", "asink"), "Did you mean async"),
    (("profile", "crawler", "--with", "memroy"), "Did you mean memory"),
    (("profile", "crawler", "--size", "0"), "size must be a whole number from 1"),
    (("profile", "factorize", "--size", "-3"), "size must be"),
    (("profile", "factorize", "--workers", "100000"), "workers must be"),
    (("profile", "factorize", "--param", "size=many"), "size must be a whole number"),
    (("profile", "factorize", "--param", "size"), "KEY=VALUE"),
    (("profile", "factorize", "--param", "siz=3"), "Did you mean size"),
    (("profile", "factorize", "--param", "start-method=frok"), "Did you mean fork"),
    (("profile", "factorize", "--repeat", "0"), "repeat"),
    (("list", "workload"), "Did you mean workloads"),
    (("list", "workloads", "nothing-like-it"), "There is no workload"),
    (("show", "last"), "There is no run"),
    (("show", "nothing-like-it"), "There is no run 'nothing-like-it'"),
    (("run", "-m", "-c", "x"), "exclude each other"),
    (("nonsense",), "No such command"),
]


@pytest.mark.parametrize(("arguments", "words"), USAGE)
def test_wrong_usage_is_exit_2_and_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = concurtrace(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".concurtrace").exists()


def make_run(folder: Path) -> Path:
    done = concurtrace(
        folder,
        "profile",
        "factorize",
        "--preset",
        "tiny",
        "--with",
        "baseline",
        "--repeat",
        "1",
        "--quiet",
    )
    assert done.returncode == 0, done.stderr
    return (folder / done.stdout.strip()).parent


def test_an_unknown_format_is_exit_2(tmp_path: Path) -> None:
    make_run(tmp_path)
    done = concurtrace(tmp_path, "show", "--format", "jsn")
    assert done.returncode == 2
    assert "Did you mean json" in done.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": {"name": "other"}}'])
def test_a_damaged_run_is_exit_4_and_untouched(tmp_path: Path, content: str) -> None:
    run = make_run(tmp_path)
    (run / "run.json").write_text(content)
    before = sorted(path.name for path in run.iterdir())
    done = concurtrace(tmp_path, "show", "last")
    assert done.returncode == 4
    assert "run.json" in done.stderr
    assert "Traceback" not in done.stderr
    assert (run / "run.json").read_text() == content
    assert sorted(path.name for path in run.iterdir()) == before


def test_a_foreign_folder_is_exit_4(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    done = concurtrace(tmp_path, "show", "./other")
    assert done.returncode == 4
    assert "not a run directory" in done.stderr


def test_a_folder_that_cannot_be_written_is_exit_3(tmp_path: Path) -> None:
    # A file where the folder should be: refused for every user, root included.
    (tmp_path / ".concurtrace").write_text("")
    done = concurtrace(tmp_path, "profile", "factorize", "--preset", "tiny")
    assert done.returncode == 3
    assert "Cannot make a run directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_report_that_cannot_be_written_is_exit_3_and_leaves_nothing(tmp_path: Path) -> None:
    make_run(tmp_path)
    target = tmp_path / "no" / "such" / "folder" / "report.html"
    done = concurtrace(tmp_path, "show", "--format", "json", "-o", str(target))
    assert done.returncode == 3
    assert "Cannot write" in done.stderr
    full = concurtrace(tmp_path, "show", "--format", "json", "-o", "/dev/full/report")
    assert full.returncode == 3


def test_a_machine_without_a_display_is_told_what_to_install(tmp_path: Path) -> None:
    nothing = {"DISPLAY": "", "PATH": str(tmp_path)}
    done = concurtrace(tmp_path, "profile", "gui", extra=nothing)
    assert done.returncode == 3
    assert "gui cannot run here" in done.stderr
    assert "install" in done.stderr
    assert not os.listdir(tmp_path)  # noqa: PTH208 - hidden files count too


def test_doctor_and_lists_work_everywhere(tmp_path: Path) -> None:
    for arguments in (
        ("doctor",),
        ("list",),
        ("list", "--course", "b"),
        ("list", "instruments"),
        ("list", "renderers"),
        ("list", "rules"),
        ("list", "runs"),
        ("list", "workloads", "crawler"),
    ):
        done = concurtrace(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
    assert not os.listdir(tmp_path)  # noqa: PTH208 - hidden files count too


def test_every_command_has_an_example(tmp_path: Path) -> None:
    for name in ("profile", "run", "show", "list", "doctor", "stress", "bench", "live"):
        done = concurtrace(tmp_path, name, "--help")
        assert done.returncode == 0
        assert f"concurtrace {name}" in done.stdout.partition("Example")[2]


def test_json_names_target_and_passes(tmp_path: Path) -> None:
    make_run(tmp_path)
    report = last_report(tmp_path)
    assert report["format"] == {"name": "concurtrace", "version": 1}
    assert report["target"]["name"] == "factorize"
    assert [one["name"] for one in report["passes"]] == ["baseline"]
    assert report["result"]["verified"] is True
