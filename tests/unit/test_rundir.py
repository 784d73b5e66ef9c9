"""Run directories: made, found, and refused when they are damaged or foreign."""

import dataclasses
import json
from pathlib import Path

import pytest

from concurtrace.errors import RunDataError, RunFailedError, UsageError
from concurtrace.launch import describe
from concurtrace.model.run import Execution, Pass, PassStatus, Target, TargetKind
from concurtrace.rundir import manifest, store
from concurtrace.rundir.atomic import write_atomically
from concurtrace.rundir.manifest import Manifest, RunStatus, structure_environment
from concurtrace.rundir.processes import read_processes

TARGET = Target(TargetKind.WORKLOAD, "crawler", "async", (), {"size": 3, "parser": "bs4"})


def full_manifest(name: str) -> Manifest:
    run = Execution(10, 5, 100, 0, checksum="abc", observed={"urls": 3}, leftovers=(4, 5))
    one = Pass("baseline", ("baseline",), PassStatus.OK, None, (run,), True, 1.0, 0.25)
    return Manifest(
        name,
        "2026-01-01T00:00:00+00:00",
        RunStatus.FINISHED,
        TARGET,
        structure_environment(describe.environment()),
        "abc",
        (one,),
        {"lines": {"functions": []}},
    )


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    written = full_manifest(tmp_path.name)
    manifest.write(written, tmp_path)
    assert manifest.read(tmp_path) == written


def test_unknown_fields_are_no_damage(tmp_path: Path) -> None:
    manifest.write(full_manifest("run"), tmp_path)
    path = tmp_path / "run.json"
    document = json.loads(path.read_bytes())
    document["of_a_later_version"] = {"a": 1}
    path.write_text(json.dumps(document))
    assert manifest.read(tmp_path) == full_manifest("run")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "damaged"),
        ('{"format": {"name": "concurtrace-run", "version": 1}', "damaged"),
        ("[1, 2]", "not written by concurtrace"),
        ('{"format": {"name": "other"}}', "not written by concurtrace"),
        ('{"format": {"name": "concurtrace-run", "version": 99}}', "format version 99"),
        ('{"format": {"name": "concurtrace-run", "version": 1}, "run": "x"}', "target"),
    ],
)
def test_damaged_and_foreign_manifests_are_refused(
    tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunDataError, match=words):
        manifest.read(tmp_path)


def test_every_truncation_of_a_manifest_is_refused(tmp_path: Path) -> None:
    manifest.write(full_manifest("run"), tmp_path)
    whole = (tmp_path / "run.json").read_bytes()
    for length in range(0, len(whole) - 1, 37):
        (tmp_path / "run.json").write_bytes(whole[:length])
        with pytest.raises(RunDataError):
            manifest.read(tmp_path)


def test_a_folder_without_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunDataError, match="not a run directory"):
        manifest.read(tmp_path)


def test_runs_of_one_second_get_names_of_their_own(tmp_path: Path) -> None:
    made = [store.create(TARGET, tmp_path) for _ in range(3)]
    assert len({folder.name for folder in made}) == 3
    assert all("crawler-async" in folder.name for folder in made)


def test_runs_are_found_by_name_prefix_and_last(tmp_path: Path) -> None:
    made = []
    for name in ("20260101-000000-a", "20260102-000000-b"):
        folder = tmp_path / name
        folder.mkdir()
        manifest.write(dataclasses.replace(full_manifest(name)), folder)
        made.append(folder)
    assert store.list_names(tmp_path) == [folder.name for folder in made]
    assert store.find("last", tmp_path) == made[1]
    assert store.find("20260101", tmp_path) == made[0]
    assert store.find(made[0].name, tmp_path) == made[0]
    assert store.find(str(made[0]), tmp_path) == made[0]
    with pytest.raises(UsageError, match="fits 2 runs"):
        store.find("2026", tmp_path)
    with pytest.raises(UsageError, match="no run 'nope'"):
        store.find("nope", tmp_path)


def test_last_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="concurtrace profile"):
        store.find("last", tmp_path / "none")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with pytest.raises(RunFailedError, match="Cannot write"):
        write_atomically(folder / "report.html", b"x")
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"new"


def test_a_registry_cut_off_in_its_last_line_is_read_to_there(tmp_path: Path) -> None:
    folder = tmp_path / "processes"
    folder.mkdir()
    first = {
        "process": "Main",
        "pid": 7,
        "parent_pid": 1,
        "started_by": "main",
        "start_ns": 5,
        "at_ns": 5,
    }
    thread = {"thread": "worker", "tid": 8, "at_ns": 6}
    text = json.dumps(first) + "\n" + json.dumps(thread) + "\n" + json.dumps({"ended": True})[:5]
    (folder / "7-5.jsonl").write_text(text)
    (process,) = read_processes(tmp_path).values()
    assert process.key.name == "Main"
    assert process.threads == {8: "worker"}
    assert not process.ended
