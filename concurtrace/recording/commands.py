"""Mask what looks like a credential in recorded command lines, in the files that hold them."""

from pathlib import Path

import numpy as np

from concurtrace.model.masking import mask_arguments
from concurtrace.recording import layout, shared

_END = b"\0"


def mask_commands(folder: Path) -> None:
    """Mask the command lines in a recording whose target has ended, in place.

    The recorder copies them as they are: it works between a fork and an exec, where nothing but
    memory may be touched. What a file that is cut off does not have stays so; OSError if one can't
    be written.
    """
    for path in folder.glob("*-*.ctr"):
        _mask(path, 0, layout.HEADER, 1)
    path = folder / shared.NAME
    if path.exists():
        with path.open("rb") as file:
            head = file.read(layout.SHARED.itemsize).ljust(layout.SHARED.itemsize, _END)
        count = int(np.frombuffer(head, layout.SHARED)["process_count"][0])
        _mask(path, layout.SHARED_PROCESSES_AT, layout.PROCESS, count)


def _mask(path: Path, at: int, kind: np.dtype[np.void], most: int) -> None:
    """Mask the field ``argv`` of up to so many rows, the first of them at ``at``."""
    count = min(most, max(0, path.stat().st_size - at) // kind.itemsize)
    if not count:
        return
    rows = np.memmap(path, kind, "r+", at, (count,))
    room = kind["argv"].itemsize
    for number, row in enumerate(rows):
        before = row["argv"].tobytes()[: min(int(row["argv_bytes"]), room)]
        after = _masked(before)[:room]
        if after != before:
            rows["argv"][number] = np.void(after.ljust(room, _END))
            rows["argv_bytes"][number] = len(after)
    rows.flush()


def _masked(raw: bytes) -> bytes:
    """Mask a NUL-separated command line; it may be cut off before its last NUL."""
    whole, end = (raw[:-1], _END) if raw.endswith(_END) else (raw, b"")
    parts = tuple(part.decode("utf-8", "surrogateescape") for part in whole.split(_END))
    return _END.join(one.encode("utf-8", "surrogateescape") for one in mask_arguments(parts)) + end
