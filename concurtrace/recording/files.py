"""One process file of the recorder: what is in which chunk.

Nothing in a file is believed unseen: it may be cut off, damaged, or written by a process that was
killed at any instruction. What can't be is left out and counted; only a file that is none of ours
is refused.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.runtime import Generation
from concurtrace.recording import layout

BATCH_CHUNKS = 1536
"""Chunks decoded at once, a million spans: enough to keep NumPy busy, little beside the result."""

Records = NDArray[np.uint64]
_MADE = ("python", "command", "collections")


class UnreadableError(Exception):
    """A file that can't be read at all; the message says why, in words."""


@dataclass(frozen=True)
class Header:
    """What the first chunk says about the process."""

    pid: int
    ppid: int
    creator_tid: int
    start_method: int
    status: int
    start_ns: int
    fork_ns: int
    end_ns: int
    exit_code: int
    flags: int
    parent_start_ns: int
    process_row: int
    first_gil_ns: int
    min_span_ns: int
    now_min_span_ns: int
    lost_stacks: int
    lost_objects: int
    lost_threads: int
    lost_orders: int
    lost_queues: int
    message_bytes: int
    python: str
    command: tuple[str, ...]
    collections: tuple[Generation, ...]


class ProcessFile:
    """A mapped process file; UnreadableError if it is cut off before its end, or foreign."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map = _map(path)
        self.header = _header(np.frombuffer(self._map, layout.HEADER, 1)[0])
        told = int(np.frombuffer(self._map, "<u4", 1, 16)[0])
        there = len(self._map) // layout.CHUNK_SIZE
        # Never behind what the header counts: a process that ends cuts its file there.
        self.chunks = max(1, min(told, there))
        self.missing_chunks = max(0, told - there)
        self._heads: NDArray[Any] = np.ndarray(
            self.chunks, layout.CHUNK, self._map, strides=(layout.CHUNK_SIZE,)
        )
        self._kinds = self._heads["kind"].copy()
        self._kinds[0] = layout.CHUNK_HEADER_KIND
        slots = self._read_slots()
        is_rest = (slots["flags"] & layout.T_REST) != 0
        self.slots = slots[~is_rest]
        self.rest = slots[is_rest]
        """At most one row: the sums of threads that found no slot, once they have ended."""
        self._span_chunks = self._find_span_chunks()

    def _read_slots(self) -> NDArray[Any]:
        """Return the thread slots that are in use, by their index."""
        numbers = np.flatnonzero(self._kinds == layout.CHUNK_THREADS)
        numbers = numbers[np.argsort(self._heads["sequence"][numbers], kind="stable")]
        parts = [
            np.frombuffer(
                self._map,
                layout.SLOT,
                min(int(self._heads["used"][number]), layout.SLOTS_PER_CHUNK),
                int(number) * layout.CHUNK_SIZE + layout.CHUNK_HEADER,
            )
            for number in numbers
        ]
        found = np.concatenate(parts) if parts else np.empty(0, layout.SLOT)
        found = found[(found["flags"] & layout.T_USED) != 0]
        _, first = np.unique(found["index"], return_index=True)
        slots: NDArray[Any] = found[first]
        return slots

    def _find_span_chunks(self) -> dict[int, NDArray[np.intp]]:
        """Return the numbers of every owner's chunks, in the order they were filled."""
        numbers = np.flatnonzero(self._kinds == layout.CHUNK_SPANS)
        owners = self._heads["owner"][numbers]
        order = np.lexsort((self._heads["sequence"][numbers], owners))
        numbers, owners = numbers[order], owners[order]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        return {
            int(owners[start]): part
            for start, part in zip(starts, np.split(numbers, starts[1:]), strict=False)
        }

    def count_records(self, owner: int) -> int:
        """Count the span records of a thread slot, fold records included."""
        numbers = self._span_chunks.get(owner, np.empty(0, np.intp))
        used = np.minimum(self._heads["used"][numbers], layout.CHUNK_ROOM)
        return int((used // layout.SPAN_SIZE).sum())

    def records(self, owner: int) -> Iterator[Records]:
        """Yield the span records of a thread slot in order, as (n, 3) words, in batches."""
        numbers = self._span_chunks.get(owner, np.empty(0, np.intp))
        for start in range(0, len(numbers), BATCH_CHUNKS):
            yield np.concatenate([self._records_of(int(n)) for n in numbers[start:][:BATCH_CHUNKS]])

    def _records_of(self, number: int) -> Records:
        used = min(int(self._heads["used"][number]), layout.CHUNK_ROOM) // layout.SPAN_SIZE
        at = number * layout.CHUNK_SIZE + layout.CHUNK_HEADER
        words: Records = np.frombuffer(self._map, "<u8", used * 3, at)
        return words.reshape(used, 3)

    def meta(self) -> Iterator[bytes]:
        """Yield the used part of every chunk of interned things."""
        for number in np.flatnonzero(self._kinds == layout.CHUNK_META).tolist():
            used = min(int(self._heads["used"][number]), layout.CHUNK_ROOM)
            at = number * layout.CHUNK_SIZE + layout.CHUNK_HEADER
            yield self._map[at : at + used]

    def let_go(self) -> None:
        """Take the mapped pages out of this process's memory; they are read again if needed."""
        self._map.madvise(mmap.MADV_DONTNEED)


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise UnreadableError(f"it cannot be read: {error}") from error
    if found[: len(layout.MAGIC)] != layout.MAGIC:
        raise UnreadableError("it is not a recording of concurtrace")
    if len(found) < layout.CHUNK_SIZE:
        raise UnreadableError("it is cut off in its first block")
    version, chunk_size = np.frombuffer(found, "<u4", 2, 8).tolist()
    span_size, slot_size = np.frombuffer(found, "<u4", 2, 20).tolist()
    if version != layout.FORMAT_VERSION:
        raise UnreadableError(
            f"it has format {version}; this concurtrace reads format {layout.FORMAT_VERSION}"
        )
    sizes = (layout.CHUNK_SIZE, layout.SPAN_SIZE, layout.SLOT_SIZE)
    if (chunk_size, span_size, slot_size) != sizes:
        raise UnreadableError("its header is damaged")
    return found


def _header(raw: Any) -> Header:
    names = [one.name for one in fields(Header) if one.name not in _MADE]
    values = {name: int(raw[name]) for name in names}
    if not 0 < values["start_ns"] < layout.LATEST_NS:
        raise UnreadableError("its header is damaged")
    if values["end_ns"] and not values["start_ns"] <= values["end_ns"] < layout.LATEST_NS:
        values["end_ns"], values["status"] = 0, layout.ALIVE
    if values["status"] != layout.ALIVE and not values["end_ns"]:
        values["status"] = layout.ALIVE
    argv = raw["argv"].tobytes()[: min(int(raw["argv_bytes"]), 4096)]
    return Header(
        **values,
        python=raw["python_version"].partition(b"\0")[0].decode("utf-8", "replace"),
        command=arguments(argv),
        collections=tuple(Generation(*one) for one in raw["collections"].tolist()),
    )


def arguments(raw: bytes) -> tuple[str, ...]:
    """Split a NUL-separated command line."""
    parts = raw.split(b"\0")
    if parts and not parts[-1]:
        parts.pop()
    return tuple(part.decode("utf-8", "replace") for part in parts)
