"""Where the threads of a running target were seen last, from the watcher's tables as they grow."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import Frame
from concurtrace.recording.samples import Names
from concurtrace.recording.watched import TABLE, TABLE_BYTES, Kind


@dataclass(frozen=True)
class Sighting:
    """A thread's stack at a moment, innermost first; it was in a span that began at ``since_ns``.

    Times are CLOCK_MONOTONIC nanoseconds.
    """

    time_ns: int
    since_ns: int
    stack: tuple[Frame, ...]


class LiveStacks:
    """The newest stack of every thread that the watcher has sampled; nothing is read twice."""

    def __init__(self, folder: Path) -> None:
        self._samples = _Growing(folder, Kind.SAMPLES)
        self._texts = _Growing(folder, Kind.NAMES)
        self._names = Names()
        self._newest: dict[int, Any] = {}

    def read_on(self) -> None:
        """Take in what was added since the last time."""
        # Names are told before the samples that refer to them.
        samples = self._samples.read_on()
        self._names.read(self._texts.read_on().tobytes())
        tids, last = np.unique(samples["tid"][::-1], return_index=True)
        for tid, place in zip(tids.tolist(), last.tolist(), strict=True):
            self._newest[tid] = samples[len(samples) - 1 - place]

    def of(self, tid: int) -> Sighting | None:
        """Return where a thread was seen last; None if it never was."""
        found = self._newest.get(tid)
        if found is None:
            return None
        stack = self._names.frames(int(found["stack"]))
        return Sighting(int(found["time_ns"]), int(found["since_ns"]), stack)


class _Growing:
    """A table that is being written, read item by item as far as it is."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._path, self._item = kind.path(folder), kind.item
        self._taken = 0

    def read_on(self) -> NDArray[Any]:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return np.empty(0, self._item)
        try:
            head = os.pread(handle, TABLE_BYTES, 0)
            told = int(np.frombuffer(head, TABLE)["count"][0]) if len(head) == TABLE_BYTES else 0
            size = self._item.itemsize
            wanted = (told - self._taken) * size
            raw = os.pread(handle, wanted, TABLE_BYTES + self._taken * size) if wanted > 0 else b""
        finally:
            os.close(handle)
        found: NDArray[Any] = np.frombuffer(raw, self._item, len(raw) // size)
        self._taken += len(found)
        return found
