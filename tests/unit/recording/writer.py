"""Write recordings by hand: exactly what the native recorder would have left.

``ProcessFile(pid).thread(tid).span(RUNNING, 0, 10)`` and so on; times are nanoseconds after the
start of the process. ``write`` puts the file into a folder and returns its path.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from concurtrace.recording import layout

START_NS = 5_000_000_000_000
# The recorder's numbers of the states.
UNKNOWN, RUNNING, NOGIL, RUNNABLE, GIL_WAIT, GIL_BLOCKED = range(6)
LOCK_WAIT, CONDITION_WAIT, IO_WAIT, SLEEP, CHILD_WAIT, STOPPED, STARTING = range(6, 13)
PER_CHUNK = layout.CHUNK_ROOM // layout.SPAN_SIZE


@dataclass
class Slot:
    """A thread slot and its span records."""

    index: int
    fields: dict[str, Any]
    records: list[tuple[int, int, int]] = field(default_factory=list)
    totals: dict[int, list[int]] = field(default_factory=dict)
    at_ns: int = 0


class ProcessFile:
    """A process file under construction."""

    def __init__(self, pid: int, start_ns: int = START_NS, **header: Any) -> None:
        self.pid = pid
        self.start_ns = start_ns
        self.header: dict[str, Any] = {"status": layout.EXITED, "start_method": 1, **header}
        self.slots: list[Slot] = []
        self.meta: list[bytes] = []
        self.argv = b"python\0app.py\0"

    def thread(self, tid: int, start: int = 0, **fields: Any) -> Self:
        """Begin a thread; spans that follow are its own."""
        start_ns = self.start_ns + start
        flags = layout.T_USED | layout.T_PYTHON | (layout.T_MAIN if tid == self.pid else 0)
        given = {"tid": tid, "flags": flags, "start_ns": start_ns, "since_ns": start_ns, **fields}
        self.slots.append(Slot(len(self.slots), given, at_ns=start))
        return self

    def span(
        self,
        state: int,
        duration: int,
        *,
        reason: int = 0,
        waker: int = 0,
        stack: int = 0,
        thing: int = 0,
        flags: int = 0,
    ) -> Self:
        """Add a span right behind the one before."""
        slot = self.slots[-1]
        self.record(slot.at_ns, state, duration, reason, waker, stack, thing, flags)
        self._count(state, duration, folded=False)
        return self

    def folded(self, state: int, duration: int, count: int = 1, *, told: bool = True) -> Self:
        """Add time that was folded; ``told`` writes the record of its window too."""
        slot = self.slots[-1]
        if told:
            window = -(-duration // 1000)
            self.record(slot.at_ns, state, duration, 0, 0, count, window, layout.SPAN_FOLD)
        self._count(state, duration, folded=True, count=count)
        return self

    def record(
        self,
        start: int,
        state: int,
        duration: int,
        reason: int = 0,
        waker: int = 0,
        stack: int = 0,
        thing: int = 0,
        flags: int = 0,
    ) -> Self:
        """Add a bare record, which may contradict the totals."""
        when = start | state << 48 | reason << 56
        self.slots[-1].records.append(
            (when, duration | waker << 40, stack | thing << 24 | flags << 48)
        )
        return self

    def _count(self, state: int, duration: int, *, folded: bool, count: int = 1) -> None:
        slot = self.slots[-1]
        total = slot.totals.setdefault(state, [0, 0, 0, 0])
        total[0] += duration
        total[1] += count
        if folded:
            total[2] += duration
            total[3] += count
        slot.at_ns += duration
        slot.fields["since_ns"] = self.start_ns + slot.at_ns

    def end(self) -> Self:
        """End the thread where its last span ends."""
        slot = self.slots[-1]
        slot.fields["flags"] |= layout.T_ENDED
        slot.fields["end_ns"] = self.start_ns + slot.at_ns
        return self

    def string(self, number: int, text: str) -> Self:
        """Intern a string."""
        raw = text.encode()
        raw += b"\0" * (-len(raw) % 8)
        return self._meta(1, struct.pack("<III", number, len(text.encode()), 0) + raw)

    def code(self, number: int, name: int, file: int, first_line: int = 1) -> Self:
        """Intern a code object by the numbers of its strings."""
        return self._meta(2, struct.pack("<IIIIIQ", number, name, file, first_line, 0, 0))

    def stack(self, number: int, parent: int, code: int, line: int) -> Self:
        """Intern a frame."""
        return self._meta(3, struct.pack("<IIIII", number, parent, code, line, 0))

    def thing(self, number: int, kind: int, key: int, text: int = 0, **fields: Any) -> Self:
        """Intern an object that is waited for."""
        raw = np.zeros(1, layout.META_OBJECT_RECORD)
        for name, value in {"id": number, "kind": kind, "key": key, "text": text, **fields}.items():
            raw[name] = value
        return self._meta(4, raw.tobytes()[4:])

    def order(self, taken: int, held: list[int], tids: list[int], stack: int = 0) -> Self:
        """Tell that a lock was taken under others."""
        raw = np.zeros(1, layout.META_ORDER_RECORD)
        raw["id"], raw["taken"], raw["stack"] = len(self.meta) + 1, taken, stack
        raw["held"][0, : len(held)], raw["tids"][0, : len(tids)] = held, tids
        return self._meta(layout.META_ORDER, raw.tobytes()[4:])

    def queue(self, readings: list[tuple[int, int, int]], **fields: Any) -> Self:
        """Tell the length of a queue as (time, length, items moved)."""
        raw = np.zeros(1, layout.META_QUEUE_RECORD)
        raw["id"], raw["count"] = len(self.meta) + 1, len(readings)
        raw["readings"][0, : len(readings)] = np.array(readings, layout.QUEUE_READING)
        for name, value in fields.items():
            raw[name] = value
        return self._meta(layout.META_QUEUE, raw.tobytes()[4:])

    def _meta(self, kind: int, rest: bytes) -> Self:
        word = layout.META_READY | kind << 24 | (len(rest) + 4)
        self.meta.append(struct.pack("<I", word) + rest)
        return self

    def frames(self, number: int, *frames: tuple[str, str, int]) -> int:
        """Intern a stack given as (file, name, line), innermost first; return its number."""
        parent = 0
        for depth, (file, name, line) in enumerate(reversed(frames)):
            one = number * 100 + depth + 1
            self.string(2 * one, name).string(2 * one + 1, file)
            self.code(one, 2 * one, 2 * one + 1).stack(one, parent, one, line)
            parent = one
        return parent

    def content(self) -> bytes:
        """Lay the file out."""
        chunks: list[bytes] = []
        first_threads = self._threads(chunks)
        for slot in self.slots:
            self._spans(chunks, slot)
        first_meta = self._metas(chunks)
        head = np.zeros(1, layout.HEADER)
        end = max((slot.at_ns for slot in self.slots), default=0)
        given = {
            "magic": layout.MAGIC,
            "version": layout.FORMAT_VERSION,
            "chunk_size": layout.CHUNK_SIZE,
            "chunks": len(chunks) + 1,
            "span_size": layout.SPAN_SIZE,
            "slot_size": layout.SLOT_SIZE,
            "pid": self.pid,
            "ppid": 1,
            "start_ns": self.start_ns,
            "end_ns": 0 if self.header["status"] == layout.ALIVE else self.start_ns + end,
            "first_threads": first_threads,
            "first_meta": first_meta,
            "thread_count": len(self.slots),
            "python_version": b"3.11.7 (main)",
            "argv": np.void(self.argv.ljust(4096, b"\0")),
            "argv_bytes": len(self.argv),
            **self.header,
        }
        for name, value in given.items():
            head[name] = value
        return head.tobytes().ljust(layout.CHUNK_SIZE, b"\0") + b"".join(chunks)

    def write(self, folder: Path) -> Path:
        """Write the file under the name that the recorder gives it."""
        path = folder / f"{self.pid}-{self.start_ns}.ctr"
        path.write_bytes(self.content())
        return path

    def _threads(self, chunks: list[bytes]) -> int:
        slots = np.zeros(len(self.slots), layout.SLOT)
        for slot in self.slots:
            slots[slot.index]["index"] = slot.index
            for name, value in slot.fields.items():
                slots[slot.index][name] = value
            for state, total in slot.totals.items():
                slots[slot.index]["states"][state] = tuple(total)
        for number, start in enumerate(range(0, len(slots), layout.SLOTS_PER_CHUNK)):
            part = slots[start : start + layout.SLOTS_PER_CHUNK]
            chunks.append(_chunk(layout.CHUNK_THREADS, 0, number, len(part), part.tobytes()))
        return 1 if chunks else 0

    def _spans(self, chunks: list[bytes], slot: Slot) -> None:
        for number, start in enumerate(range(0, len(slot.records), PER_CHUNK)):
            part = np.array(slot.records[start : start + PER_CHUNK], "<u8").tobytes()
            chunks.append(_chunk(layout.CHUNK_SPANS, slot.index, number, len(part), part))

    def _metas(self, chunks: list[bytes]) -> int:
        first, current = 0, b""
        for record in [*self.meta, b""]:
            if current and (not record or len(current) + len(record) > layout.CHUNK_ROOM):
                first = first or len(chunks) + 1
                chunks.append(_chunk(layout.CHUNK_META, 0, 0, len(current), current))
                current = b""
            current += record
        return first


def _chunk(kind: int, owner: int, sequence: int, used: int, body: bytes) -> bytes:
    head = struct.pack("<5I", kind, owner, sequence, used, 0)
    return (head.ljust(layout.CHUNK_HEADER, b"\0") + body).ljust(layout.CHUNK_SIZE, b"\0")


def empty_chunk() -> bytes:
    """A chunk that was reserved and never used."""
    return bytes(layout.CHUNK_SIZE)


def write_shared(folder: Path, *rows: dict[str, Any]) -> Path:
    """Write the file that all processes of a run share, with these rows of its process table."""
    head = np.zeros(1, layout.SHARED)
    for name, value in {
        "magic": layout.SHARED_MAGIC,
        "version": layout.FORMAT_VERSION,
        "header_size": 4096,
        "max_bytes": 1 << 28,
        "process_count": len(rows),
        "processes_reserved": max(64, len(rows)),
    }.items():
        head[name] = value
    table = np.zeros(len(rows), layout.PROCESS)
    for number, row in enumerate(rows):
        for name, value in row.items():
            if name == "command":
                raw = b"".join(part.encode() + b"\0" for part in value)
                table[number]["argv"] = np.void(raw.ljust(432, b"\0"))
                table[number]["argv_bytes"] = len(raw)
            else:
                table[number][name] = value
    path = folder / "shared.ctr"
    with path.open("wb") as file:
        file.write(head.tobytes())
        file.seek(layout.SHARED_PROCESSES_AT)
        file.write(table.tobytes().ljust(64 * layout.PROCESS.itemsize, b"\0"))
    return path
