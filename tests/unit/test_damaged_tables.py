"""Damaged files of the functions and lines instruments are named, never half read."""

import json
from pathlib import Path
from typing import Any

import pytest

from concurtrace.errors import RunDataError
from concurtrace.instruments import Instrument, functions, lines

STEM = "7-100"
GOOD: dict[str, dict[str, Any]] = {
    "functions": {
        "format": 1,
        "functions": [["a.py", 3, "f"], ["~", 0, "<built-in method builtins.len>"]],
        "threads": [
            {"tid": 7, "name": "", "stats": [[1, 2, 0, 5, 5], [0, 4, 1, 10, 15]],
             "edges": [[0, 1, 2, 5, 5]]}
        ],
        "losses": [["thread x", "it ran before watching began"]],
        "notes": [],
    },
    "lines": {
        "format": 1,
        "lines": [["a.py", 3, "f", 4, 15]],
        "sources": {"a.py": ["", "", "def f(): pass"]},
        "losses": [],
        "ambiguous": [],
        "not_found": [],
        "notes": [],
    },
}  # fmt: skip


@pytest.fixture(params=[functions.INSTRUMENT, lines.INSTRUMENT], ids=lambda one: one.name)
def instrument(request: pytest.FixtureRequest) -> Instrument:
    found: Instrument = request.param
    return found


def written(folder: Path, instrument: Instrument, content: bytes) -> Path:
    """Write one process's file and its entry in the registry; return the instrument's folder."""
    (folder / "processes").mkdir()
    entry = {
        "process": "one", "pid": 7, "parent_pid": 1, "started_by": "fork", "start_ns": 100,
    }  # fmt: skip
    (folder / "processes" / f"{STEM}.jsonl").write_text(json.dumps(entry))
    out = folder / instrument.name
    out.mkdir()
    (out / f"{STEM}.json").write_bytes(content)
    return out


def test_a_whole_file_is_read(instrument: Instrument, tmp_path: Path) -> None:
    good = GOOD[instrument.name]
    recording = instrument.read(written(tmp_path, instrument, json.dumps(good).encode()), {})
    if recording.functions is not None:
        (table,) = recording.functions.tables
        assert (table.process.name, table.tid, table.thread) == ("one", 7, "MainThread")
        by_name = {row.function.name: row for row in table.stats}
        assert (by_name["f"].calls, by_name["f"].primitive_calls) == (4, 3)
        (edge,) = table.edges
        assert table.stats[edge.caller].function.name == "f"
        assert table.stats[edge.callee].function.file == "~"
        assert [loss.what for loss in recording.functions.losses] == ["thread x of process one (7)"]
    if recording.lines is not None:
        (lines_of_one,) = recording.lines.tables
        (row,) = lines_of_one.lines
        assert (row.line, row.hits, row.time_ns) == (3, 4, 15)
        assert recording.lines.sources[0].lines[2] == "def f(): pass"


@pytest.mark.parametrize("damage", ["cut", "foreign", "newer", "key", "row", "list"])
def test_a_damaged_file_is_named(instrument: Instrument, tmp_path: Path, damage: str) -> None:
    good = GOOD[instrument.name]
    rows = "threads" if instrument.name == "functions" else "lines"
    content = {
        "cut": json.dumps(good).encode()[:-9],
        "foreign": b"\x00\xff nothing of ours",
        "newer": json.dumps({**good, "format": 2}).encode(),
        "key": json.dumps({key: one for key, one in good.items() if key != rows}).encode(),
        "row": json.dumps({**good, rows: [[1, 2]]}).encode(),
        "list": b"[]",
    }[damage]
    out = written(tmp_path, instrument, content)
    with pytest.raises(RunDataError, match=str(out / f"{STEM}.json")):
        instrument.read(out, {})
