"""The watcher's tables: files of equal items, written beside the recorder's from the launcher.

Their layout is that of ``native/watcher/watch.h``. A table that is cut off gives the items that are
whole; one that is none of the watcher's is refused.
"""

import mmap
from dataclasses import dataclass
from enum import Enum, IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.recording.files import UnreadableError

MAGIC = b"CTRWTCH1"
VERSION = 1
TABLE_BYTES = 64
REFUSED = "watch-refused.txt"
"""Says, in place of the tables, why there are none."""

TABLE = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("kind", "<u4"),
        ("item_size", "<u4"),
        ("reserved", "<u4"),
        ("count", "<u8"),
        ("start_ns", "<u8"),
        ("reserved_too", "<u8", 3),
    ]
)

HEAD = np.dtype(
    [
        ("source", "<u4"),
        ("flags", "<u4"),
        ("root_pid", "<u4"),
        ("perf_errno", "<i4"),
        ("cpus", "<u4"),
        ("ring_bytes", "<u4"),
        ("end_ns", "<u8"),
        ("cpu_ns", "<u8"),
        ("max_bytes", "<u8"),
        ("min_slice_ns", "<u8"),
        ("raised_at_ns", "<u8", 8),
        ("records_lost", "<u8"),
        ("slices_cut", "<u8"),
        ("slices_dropped", "<u8"),
        ("tasks_dropped", "<u8"),
        ("loads_dropped", "<u8"),
        ("interval_ns", "<u8"),
        ("ticks", "<u8"),
        ("ticks_late", "<u8"),
        ("ticks_missed", "<u8"),
        ("samples", "<u8"),
        ("samples_torn", "<u8"),
        ("samples_failed", "<u8"),
        ("samples_dropped", "<u8"),
        ("images_blind", "<u8"),
    ]
)

TASK = np.dtype(
    [
        ("tid", "<u4"),
        ("pid", "<u4"),
        ("creator_tid", "<u4"),
        ("flags", "<u4"),
        ("start_ns", "<u8"),
        ("end_ns", "<u8"),
        ("on_cpu_ns", "<u8"),
        ("slices", "<u8"),
        ("preempted", "<u8"),
        ("migrations", "<u8"),
        ("folded_ns", "<u8"),
        ("on_cpu", "<u4"),
        ("last_cpu", "<u4"),
        ("comm", "S16"),
    ]
)

SLICE = np.dtype([("w0", "<u8"), ("w1", "<u8")])

LOAD = np.dtype(
    [
        ("time_ns", "<u8"),
        ("cpu_ns", "<u8"),
        ("delay_ns", "<u8"),
        ("tid", "<u4"),
        ("pid", "<u4"),
        ("cpu", "<u2"),
        ("state", "u1"),
        ("reserved", "u1", 5),
    ]
)

SAMPLE = np.dtype(
    [
        ("time_ns", "<u8"),
        ("tid", "<u4"),
        ("stack", "<u4"),
        ("image", "<u4"),
        ("gap_ns", "<u4"),
        ("tick", "<u4"),
        ("cpu", "<u2"),
        ("state", "u1"),
        ("flags", "u1"),
        ("since_ns", "<u8"),
    ]
)

WORD = np.dtype("<u8")


class Kind(Enum):
    """A table: its number in the file and the type of its items."""

    HEAD = (1, HEAD)
    TASKS = (2, TASK)
    SLICES = (3, SLICE)
    LOADS = (4, LOAD)
    SAMPLES = (5, SAMPLE)
    NAMES = (6, WORD)

    def __init__(self, number: int, item: np.dtype[Any]) -> None:
        self.number = number
        self.item = item

    def path(self, folder: Path) -> Path:
        """Where the table is in the folder of a recording."""
        return folder / f"watch-{self.name.lower()}.ctw"


class Source(Enum):
    """Where the watcher had the scheduling from: ``cw_source``."""

    NOTHING = 0
    PERF = 1
    PROC = 2


class HeadFlag(IntFlag):
    """Bits of the head's ``flags``: ``cw_head_flag``."""

    ENDED = 1
    DISK_FULL = 2
    NO_READ = 4
    LATE_START = 8
    NOT_ALL = 16


@dataclass(frozen=True, eq=False)
class Table:
    """The items of a table, straight from the file, and when the watcher started."""

    items: NDArray[Any]
    start_ns: int


def was_watched(folder: Path) -> bool:
    """Tell whether a watcher left its tables in a folder."""
    return Kind.HEAD.path(folder).exists()


def read_table(folder: Path, kind: Kind) -> Table:
    """Map a table; UnreadableError if it is missing, foreign, or of another format."""
    path = kind.path(folder)
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path.name} can't be read: {error}") from error
    if len(content) < TABLE_BYTES:
        raise UnreadableError(f"{path.name} is cut off before its first item")
    head = np.frombuffer(content, TABLE, 1)[0]
    if bytes(head["magic"]) != MAGIC or int(head["kind"]) != kind.number:
        raise UnreadableError(f"{path.name} is not a table of the watcher's")
    if int(head["version"]) != VERSION or int(head["item_size"]) != kind.item.itemsize:
        raise UnreadableError(f"{path.name} has format {int(head['version'])}, not {VERSION}")
    there = (len(content) - TABLE_BYTES) // kind.item.itemsize
    count = min(int(head["count"]), there)
    items: NDArray[Any] = np.frombuffer(content, kind.item, count, TABLE_BYTES)
    return Table(items, int(head["start_ns"]))


def read_head(folder: Path) -> Any:
    """Return the watcher's own account, a record with the fields of ``HEAD``."""
    table = read_table(folder, Kind.HEAD)
    if not len(table.items):
        raise UnreadableError(f"{Kind.HEAD.path(folder).name} is cut off before its first item")
    return table.items[0]
