"""The text of the target's files, as it was during the run."""

import datetime
import os
from pathlib import Path

from concurtrace.rundir.sources import source_files

LATER = 3600


def now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def texts(run: Path, *files: Path) -> dict[str, tuple[str, ...]]:
    return {one.file: one.lines for one in source_files(run, map(str, files), now())}


def test_a_file_is_told_as_it_was_at_the_first_look(tmp_path: Path) -> None:
    file, run = tmp_path / "app.py", tmp_path / "run"
    run.mkdir()
    file.write_text("a = 1\nb = 2\n")
    assert texts(run, file) == {str(file): ("a = 1", "b = 2")}
    file.write_text("changed\n")
    assert texts(run, file) == {str(file): ("a = 1", "b = 2")}
    assert (run / "derived" / "sources.json").exists()


def test_what_changed_after_the_run_began_is_not_told(tmp_path: Path) -> None:
    file, run = tmp_path / "app.py", tmp_path / "run"
    run.mkdir()
    file.write_text("a = 1\n")
    after = file.stat().st_mtime + LATER
    os.utime(file, (after, after))
    assert texts(run, file) == {}
    assert not (run / "derived").exists()


def test_what_is_no_text_file_is_left_out(tmp_path: Path) -> None:
    run, binary, large = tmp_path / "run", tmp_path / "a.py", tmp_path / "b.py"
    run.mkdir()
    binary.write_bytes(b"\xff\xfe")
    large.write_text("x" * 500_000)
    assert texts(run, binary, large, tmp_path / "gone.py", tmp_path) == {}


def test_damaged_texts_are_read_anew(tmp_path: Path) -> None:
    file, run = tmp_path / "app.py", tmp_path / "run"
    (run / "derived").mkdir(parents=True)
    file.write_text("a = 1\n")
    for damage in ("{", "[]", '{"format": 9}', '{"format": 1, "files": 3}'):
        (run / "derived" / "sources.json").write_text(damage)
        assert texts(run, file) == {str(file): ("a = 1",)}


def test_a_credential_in_the_source_is_not_kept(tmp_path: Path) -> None:
    file, run = tmp_path / "app.py", tmp_path / "run"
    run.mkdir()
    token = "ghp_" + "a1B2" * 9
    file.write_text(f"a = 1\nTOKEN = '{token}'\nb = 2\n")
    (_, masked, last) = texts(run, file)[str(file)]
    assert token not in masked
    assert last == "b = 2"
    assert token not in (run / "derived" / "sources.json").read_text()


def test_a_file_with_a_private_key_is_left_out(tmp_path: Path) -> None:
    file, run = tmp_path / "app.py", tmp_path / "run"
    run.mkdir()
    kind = "PRIVATE KEY"
    file.write_text(f'KEY = """-----BEGIN {kind}-----\nMIIE\n-----END {kind}-----"""\nb = 2\n')
    assert texts(run, file) == {}
