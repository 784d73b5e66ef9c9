"""Command lines are masked in the files that hold them, and nothing else in these changes."""

from pathlib import Path

import pytest

from concurtrace.recording.commands import mask_commands
from concurtrace.recording.files import ProcessFile as Reading
from concurtrace.recording.shared import read_shared
from tests.unit.recording.writer import RUNNING, ProcessFile, write_shared

HIDDEN = "correct-horse-battery-staple"


def command_of(raw: bytes, folder: Path) -> tuple[str, ...]:
    """Write a file of a process with this command line, mask it, and read it back."""
    made = ProcessFile(100).thread(100).span(RUNNING, 10).end()
    made.argv = raw
    path = made.write(folder)
    before = path.read_bytes()
    mask_commands(folder)
    after = path.read_bytes()
    assert len(after) == len(before)
    assert HIDDEN.encode() not in after
    return Reading(path).header.command


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        (f"python\0a.py\0--token\0{HIDDEN}\0--go\0", ("python", "a.py", "--token", "***", "--go")),
        (f"mysql\0-p{HIDDEN}\0", ("mysql", "-p***")),
        ("python\0a.py\0--token=x\0\0", ("python", "a.py", "--token=***", "")),
        (f"python\0--password={HIDDEN}", ("python", "--password=***")),
        ("python\0a.py\0", ("python", "a.py")),
        ("", ()),
    ],
)
def test_a_process_keeps_its_command_but_no_secret(
    tmp_path: Path, raw: str, masked: tuple[str, ...]
) -> None:
    assert command_of(raw.encode(), tmp_path) == masked


def test_what_grows_stays_within_its_room(tmp_path: Path) -> None:
    raw = b"python\0" + b"--pwd=x\0" * 511
    assert len(raw) < 4096 < len(raw.replace(b"=x", b"=***"))
    command = command_of(raw, tmp_path)
    assert set(command[1:-1]) == {"--pwd=***"}


def test_bytes_that_are_no_text_stay_as_they_are(tmp_path: Path) -> None:
    made = ProcessFile(100).thread(100).span(RUNNING, 10).end()
    made.argv = b"python\0caf\xe9\0--token=x\0"
    path = made.write(tmp_path)
    mask_commands(tmp_path)
    assert b"python\0caf\xe9\0--token=***\0" in path.read_bytes()


def test_the_shared_table_is_masked_row_by_row(tmp_path: Path) -> None:
    commands = (("true", "--api-key", HIDDEN), ("sh", "-c", "true"), ("curl", "-u", f"me:{HIDDEN}"))
    rows = [{"pid": pid, "fork_ns": pid, "command": one} for pid, one in enumerate(commands, 1)]
    path = write_shared(tmp_path, *rows)
    mask_commands(tmp_path)
    assert HIDDEN.encode() not in path.read_bytes()
    assert [one.command for one in read_shared(tmp_path).rows] == [
        ("true", "--api-key", "***"),
        ("sh", "-c", "true"),
        ("curl", "-u", "me:***"),
    ]


@pytest.mark.parametrize("size", [0, 50, 5000, 4096 * 400])
def test_a_file_that_is_cut_off_stays_so(tmp_path: Path, size: int) -> None:
    for path in (
        ProcessFile(100).thread(100).write(tmp_path),
        write_shared(tmp_path, {"pid": 1, "fork_ns": 1, "command": ("a", "--token", HIDDEN)}),
    ):
        content = path.read_bytes()[:size]
        path.write_bytes(content)
        mask_commands(tmp_path)
        assert path.stat().st_size == len(content)
