"""Write the watcher's tables by hand."""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.recording.watched import HEAD, LOAD, MAGIC, SAMPLE, SLICE, TASK, VERSION, Kind

START_NS = 5_000_000_000
PREEMPTED, FOLD, CUT, CONTINUED = 1, 2, 4, 8


def table(kind: Kind, items: NDArray[Any]) -> bytes:
    """Make the bytes of a whole table."""
    head = struct.pack(
        "<8sIIIIQQ24x", MAGIC, VERSION, kind.number, kind.item.itemsize, 0, len(items), START_NS
    )
    return head + items.tobytes()


def piece(tid: int, start: int, length: int, core: int = 0, flags: int = 0) -> tuple[int, int]:
    """Make a slice; ``start`` counts from the start of the watcher."""
    return start | core << 48 | flags << 60, length | tid << 40


def folded(on_cpu_ns: int, slices: int, preempted: int) -> tuple[int, int]:
    """Make the sums behind a slice with FOLD."""
    return on_cpu_ns, slices | preempted << 32


def task(tid: int, start: int = 0, end: int = 0, **more: int) -> dict[str, int]:
    """Make a task; times count from the start of the watcher, ``end`` 0 = it lives."""
    exited = 2 if end else 0
    times = {"start_ns": START_NS + start, "end_ns": START_NS + end if end else 0}
    return {"tid": tid, "pid": tid, "flags": exited, **times, **more}


def string(number: int, text: str) -> bytes:
    """Make the record of a string."""
    content = text.encode()
    padded = content + bytes(-len(content) % 8)
    return struct.pack("<IIII", 1, 16 + len(padded), number, len(content)) + padded


def code(number: int, title: int, file: int, line: int) -> bytes:
    """Make the record of a code object."""
    return struct.pack("<IIIIII", 2, 24, number, title, file, line)


def stack(number: int, parent: int, function: int, line: int) -> bytes:
    """Make the record of a frame."""
    return struct.pack("<IIIIII", 3, 24, number, parent, function, line)


def write(
    folder: Path,
    *,
    head: dict[str, Any] | None = None,
    tasks: Iterable[dict[str, int]] = (),
    slices: Iterable[tuple[int, int]] = (),
    loads: Iterable[dict[str, int]] = (),
    samples: Iterable[dict[str, int]] = (),
    names: bytes = b"",
) -> None:
    """Write all tables into a folder."""
    account = {"source": 1, "flags": 1, "interval_ns": 5_000_000, **(head or {})}
    rows = {
        Kind.HEAD: _rows(HEAD, [account]),
        Kind.TASKS: _rows(TASK, tasks),
        Kind.SLICES: np.array(list(slices), SLICE),
        Kind.LOADS: _rows(LOAD, loads),
        Kind.SAMPLES: _rows(SAMPLE, samples),
        Kind.NAMES: np.frombuffer(names, "<u8"),
    }
    for kind, items in rows.items():
        kind.path(folder).write_bytes(table(kind, items))


def _rows(kind: np.dtype[Any], rows: Iterable[dict[str, Any]]) -> NDArray[Any]:
    made = list(rows)
    items = np.zeros(len(made), kind)
    for number, row in enumerate(made):
        for name, value in row.items():
            items[number][name] = value
    return items
