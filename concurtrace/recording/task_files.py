"""One file of the recorder of tasks: its items by kind, and its names.

Nothing is believed unseen: a file may be cut off, damaged, or written by a process that was killed.
"""

import mmap
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.recording import Function
from concurtrace.recording import task_layout as layout
from concurtrace.recording.files import UnreadableError
from concurtrace.recording.tables import LocalStacks

_WORDS = struct.Struct("<IIIIII")
_STRING = struct.Struct("<IIII")
_SIZES = {layout.STRING: 16, layout.CODE: 24, layout.STACK: 24}


class TaskFile:
    """A mapped file; UnreadableError if it is foreign or cut off before its first item."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise UnreadableError(f"it cannot be read: {error}") from error
        if self._map[: len(layout.MAGIC)] != layout.MAGIC:
            raise UnreadableError("it is not a recording of tasks")
        if len(self._map) < layout.CHUNK:
            raise UnreadableError("it is cut off in its first block")
        self.header: Any = np.frombuffer(self._map, layout.HEADER, 1)[0]
        if int(self.header["version"]) != layout.VERSION:
            raise UnreadableError(f"it has format {self.header['version']}, not {layout.VERSION}")
        if int(self.header["chunk_size"]) != layout.CHUNK:
            raise UnreadableError("its header is damaged")
        there = len(self._map) // layout.CHUNK
        self.missing_chunks = max(0, int(self.header["chunks"]) - there)
        self._chunks = self._find_chunks(min(int(self.header["chunks"]), there))
        self.damaged = 0

    def _find_chunks(self, count: int) -> dict[int, list[tuple[int, int]]]:
        """List where the items of each kind are: (offset, bytes)."""
        heads: NDArray[Any] = np.ndarray(
            max(count, 1), layout.CHUNK_HEAD, self._map, strides=(layout.CHUNK,)
        )
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number in range(1, count):
            head = heads[number]
            used = min(int(head["used"]), layout.CHUNK_ROOM)
            place = number * layout.CHUNK + layout.CHUNK_HEADER
            found[int(head["kind"])].append((place, used))
        return found

    def items(self, kind: int, item: np.dtype[Any]) -> NDArray[Any]:
        """Return all items of a kind, in the order they were written."""
        parts = [
            np.frombuffer(self._map, item, used // item.itemsize, place)
            for place, used in self._chunks.get(kind, ())
        ]
        return np.concatenate(parts) if parts else np.empty(0, item)

    def names(self) -> "Names":
        """Decode the names."""
        strings: dict[int, str] = {0: ""}
        codes: list[tuple[int, int, int, int]] = []
        frames: dict[int, tuple[int, int, int]] = {}
        for place, used in self._chunks.get(layout.NAMES, ()):
            at, end = place, place + used
            while at + 16 <= end:
                kind = int.from_bytes(self._map[at + 3 : at + 4], "little")
                size = int.from_bytes(self._map[at : at + 3], "little")
                if size < _SIZES.get(kind, 1 << 24) or size % 8 or at + size > end:
                    self.damaged += 1
                    break
                if kind == layout.STRING:
                    _, number, length, _ = _STRING.unpack_from(self._map, at)
                    text = self._map[at + 16 : at + 16 + min(length, size - 16)]
                    strings[number] = text.decode("utf-8", "replace")
                else:
                    _, number, *words, _ = _WORDS.unpack_from(self._map, at)
                    if kind == layout.CODE:
                        codes.append((number, *words))
                    else:
                        frames[number] = (words[0], words[1], words[2])
                at += size
        functions = {
            number: Function(strings.get(file, "?"), line, strings.get(name, "?"))
            for number, name, file, line in codes
        }
        return Names(strings, LocalStacks(functions, frames))


class Names:
    """The names of one file under its own ids."""

    def __init__(self, strings: dict[int, str], stacks: LocalStacks) -> None:
        self.strings = strings
        self.stacks = stacks
