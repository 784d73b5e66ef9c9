"""What locks threads of a running process wait for, and who has them at this moment."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concurtrace.model.recording import Function
from concurtrace.model.spans import Frame
from concurtrace.model.trace import ObjectKind
from concurtrace.recording import layout
from concurtrace.recording.live import read_chunk
from concurtrace.recording.meta import META_SIZE, Interned, finished

_OBJECT = layout.META_OBJECT_RECORD
_DEEPEST = 512
"""A chain of callers that is longer can only be damage."""


@dataclass(frozen=True)
class LiveLock:
    """A lock: the stack of its creation, innermost first, and the tid of its owner, 0 = none."""

    kind: ObjectKind
    text: str
    made: tuple[Frame, ...]
    owner: int


class LiveLocks:
    """The locks of one process; what its file told once is not read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._interned = Interned()
        self._chunk = 0
        self._at = layout.CHUNK_HEADER
        self._places: dict[int, int] = {}
        """Where in the file the newest object at an address is."""

    def find(self, address: int) -> LiveLock | None:
        """Find the newest lock at an address; None where the file has none, or is gone."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            self._read_on(handle)
            if address not in self._places:
                return None
            raw = os.pread(handle, _OBJECT.itemsize, self._places[address])
        finally:
            os.close(handle)
        if len(raw) < _OBJECT.itemsize:
            return None
        now = np.frombuffer(raw, _OBJECT)[0]
        return LiveLock(
            kind=layout.KIND_OF.get(int(now["kind"]), ObjectKind.OTHER),
            text=self._interned.strings.get(int(now["text"]), ""),
            made=self._frames(int(now["created_stack"])),
            owner=int(now["owner"]),
        )

    def _read_on(self, handle: int) -> None:
        """Read what was added since the last time."""
        if not self._chunk:
            head = os.pread(handle, layout.HEADER.itemsize, 0)
            if len(head) == layout.HEADER.itemsize:
                self._chunk = int(np.frombuffer(head, layout.HEADER)["first_meta"][0])
        while (chunk := read_chunk(handle, self._chunk)) is not None:
            head = np.frombuffer(chunk, layout.CHUNK, 1)[0]
            end = layout.CHUNK_HEADER + min(int(head["used"]), layout.CHUNK_ROOM)
            self._take(chunk[:end], finished(chunk[:end], self._at))
            if self._at < end or not head["next"]:
                return
            self._chunk, self._at = int(head["next"]), layout.CHUNK_HEADER

    def _take(self, chunk: bytes, end: int) -> None:
        self._interned.read(chunk[self._at : end])
        while self._at < end:
            word = int.from_bytes(chunk[self._at : self._at + 4], "little")
            size = word & META_SIZE
            if (word >> 24) & 0x7F == layout.META_OBJECT and size >= _OBJECT.itemsize:
                key = int(np.frombuffer(chunk, _OBJECT, 1, self._at)["key"][0])
                self._places[key] = self._chunk * layout.CHUNK_SIZE + self._at
            self._at += size

    def _frames(self, stack: int) -> tuple[Frame, ...]:
        codes = {number: rest for number, *rest in self._interned.codes}
        text = self._interned.strings
        frames: list[Frame] = []
        while stack in self._interned.frames and len(frames) < _DEEPEST:
            stack, code, line = self._interned.frames[stack]
            name, file, first = codes.get(code, (0, 0, 0))
            frames.append(Frame(Function(text.get(file, "?"), first, text.get(name, "?")), line))
        return tuple(frames)
