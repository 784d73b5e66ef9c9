"""The file that all processes of a run share: who was started by whom, and how it ended."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from concurtrace.recording import layout
from concurtrace.recording.files import UnreadableError, arguments

NAME = "shared.ctr"


@dataclass(frozen=True)
class ProcessRow:
    """A process as its parent (or itself) noted it; times 0 where they are not known."""

    number: int
    pid: int
    ppid: int
    creator_tid: int
    start_method: int
    fork_ns: int
    exec_ns: int
    image_ns: int
    end_ns: int
    wait_status: int
    exit_code: int
    flags: int
    parent_start_ns: int
    command: tuple[str, ...]

    @property
    def start_ns(self) -> int:
        """The earliest time that is known of it."""
        return next((t for t in (self.fork_ns, self.exec_ns, self.image_ns) if t), self.end_ns)


@dataclass(frozen=True)
class Shared:
    """The run-wide figures: bytes that the recording may take and did, and all processes."""

    max_bytes: int = 0
    used_bytes: int = 0
    root_pid: int = 0
    lost_rows: int = 0
    rows: tuple[ProcessRow, ...] = ()


def read_shared(folder: Path) -> Shared:
    """Read the shared file; empty if there is none, UnreadableError if it is not one of ours."""
    path = folder / NAME
    if not path.exists():
        return Shared()
    try:
        with path.open("rb") as file:
            head = file.read(layout.SHARED.itemsize)
            file.seek(layout.SHARED_PROCESSES_AT)
            size = path.stat().st_size - layout.SHARED_PROCESSES_AT
            if len(head) < layout.SHARED.itemsize or not head.startswith(layout.SHARED_MAGIC):
                raise UnreadableError("it is not a recording of concurtrace")
            header = np.frombuffer(head, layout.SHARED)[0]
            if header["version"] != layout.FORMAT_VERSION:
                raise UnreadableError(f"it has format {header['version']}")
            told = int(header["process_count"])
            room = max(0, size) // layout.PROCESS.itemsize
            count = min(told, room, layout.SHARED_PROCESSES)
            raw = file.read(count * layout.PROCESS.itemsize)
    except OSError as error:
        raise UnreadableError(f"it cannot be read: {error}") from error
    return Shared(
        max_bytes=int(header["max_bytes"]),
        used_bytes=int(header["used_bytes"]),
        root_pid=int(header["root_pid"]),
        lost_rows=told - count,
        rows=_rows(raw[: len(raw) // layout.PROCESS.itemsize * layout.PROCESS.itemsize]),
    )


def _rows(raw: bytes) -> tuple[ProcessRow, ...]:
    names = [one.name for one in fields(ProcessRow) if one.name not in ("number", "command")]
    return tuple(
        ProcessRow(
            number,
            **{name: _believable(name, int(row[name])) for name in names},
            command=arguments(row["argv"].tobytes()[: min(int(row["argv_bytes"]), 432)]),
        )
        for number, row in enumerate(np.frombuffer(raw, layout.PROCESS), start=1)
        if row["pid"] and not row["flags"] & layout.P_DEAD_ROW
    )


def _believable(name: str, value: int) -> int:
    """Take a time that can't be for one that is not known."""
    return 0 if name.endswith("_ns") and value >= layout.LATEST_NS else value
