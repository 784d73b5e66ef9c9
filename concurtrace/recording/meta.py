"""The interned things of one process file: strings, functions, stacks, objects."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from concurtrace.model.recording import Function
from concurtrace.recording import layout
from concurtrace.recording.tables import LocalStacks

MAX_ID = 1 << 24
"""Ids have 24 bits in a span; a larger one can only be damage."""

META_SIZE = 0x00FFFFFF
"""The bits of a record's first word that hold its length in bytes."""
_WORD = struct.Struct("<I")
_STRING = struct.Struct("<IIII")
_CODE = struct.Struct("<IIIIIIQ")
_STACK = struct.Struct("<IIIIII")
_OBJECT = struct.Struct("<IIIIQQIIQQQQIIQ")
_ORDER = struct.Struct("<IIII8I4I")
_MESSAGE = struct.Struct("<IIIIQQQ")
_SITE = struct.Struct("<IIIIQQ")


@dataclass(frozen=True)
class LocalObject:
    """An object record under the ids of its own file."""

    kind: int
    text: str
    key: int
    created_ns: int
    created_stack: int
    creator_tid: int
    acquisitions: int
    contended: int
    wait_ns: int
    hold_ns: int
    handed: int


@dataclass(frozen=True)
class LocalOrder:
    """An order record: a lock taken while others were held, under the ids of its own file."""

    taken: int
    held: tuple[int, ...]
    tids: tuple[int, ...]
    stack: int


@dataclass(frozen=True)
class LocalMessage:
    """A message that was sent more than once; ``stack`` is where, under the ids of its file."""

    stack: int
    hash: int
    length: int
    count: int


@dataclass(frozen=True)
class LocalSite:
    """A place at which a lock was taken, under the ids of its own file."""

    object: int
    stack: int
    acquisitions: int
    contended: int


@dataclass(frozen=True)
class LocalQueue:
    """The readings of a queue as (time in ns, items in it, items moved since it was made)."""

    created_ns: int
    created_stack: int
    creator_tid: int
    readings: tuple[tuple[int, int, int], ...]


@dataclass
class Meta:
    """The interned things of one file; ``damaged`` counts records that could not be read."""

    stacks: LocalStacks = field(default_factory=LocalStacks)
    objects: dict[int, LocalObject] = field(default_factory=dict)
    orders: list[LocalOrder] = field(default_factory=list)
    queues: list[LocalQueue] = field(default_factory=list)
    messages: list[LocalMessage] = field(default_factory=list)
    sites: list[LocalSite] = field(default_factory=list)
    damaged: int = 0


@dataclass
class Interned:
    """Records as they lie in the file; they may refer to each other in any order.

    ``codes`` are (id, name, file, first line), ``frames`` (parent, code, line) by id, ``objects``
    the fields of their records, in the order of the file.
    """

    strings: dict[int, str] = field(default_factory=dict)
    codes: list[tuple[int, int, int, int]] = field(default_factory=list)
    frames: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    objects: list[tuple[int, ...]] = field(default_factory=list)
    orders: list[LocalOrder] = field(default_factory=list)
    queues: list[LocalQueue] = field(default_factory=list)
    messages: list[LocalMessage] = field(default_factory=list)
    sites: list[LocalSite] = field(default_factory=list)
    damaged: int = 0

    def read(self, chunk: bytes) -> None:
        """Decode the records of a chunk, or of a part of one that begins with a record."""
        at, end = 0, len(chunk)
        while at + 4 <= end:
            (word,) = _WORD.unpack_from(chunk, at)
            size = word & META_SIZE
            if word == 0:
                return
            if size < 8 or size % 8 or at + size > end:
                self.damaged += 1
                return
            if word & layout.META_READY:
                try:
                    self._record(chunk[at : at + size], (word >> 24) & 0x7F)
                except struct.error:
                    self.damaged += 1
            at += size

    def _record(self, record: bytes, kind: int) -> None:
        number = struct.unpack_from("<I", record, 4)[0]
        if not 0 < number < MAX_ID:
            self.damaged += 1
        elif kind == layout.META_STACK:
            _, _, parent, code, line, _ = _STACK.unpack_from(record)
            self.frames[number] = (parent, code, line)
        elif kind == layout.META_STRING:
            length = _STRING.unpack_from(record)[2]
            self.strings[number] = record[16 : 16 + length].decode("utf-8", "replace")
        elif kind == layout.META_CODE:
            _, _, name, file, line, _, _ = _CODE.unpack_from(record)
            self.codes.append((number, name, file, line))
        elif kind == layout.META_OBJECT:
            self.objects.append(_OBJECT.unpack_from(record))
        elif kind == layout.META_ORDER:
            _, _, taken, stack, *rest = _ORDER.unpack_from(record)
            held, tids = rest[: layout.ORDER_HELD], rest[layout.ORDER_HELD :]
            self.orders.append(
                LocalOrder(taken, tuple(filter(None, held)), tuple(filter(None, tids)), stack)
            )
        elif kind == layout.META_QUEUE:
            self.queues.append(_queue(record))
        elif kind == layout.META_MESSAGE:
            _, _, stack, _, *counted = _MESSAGE.unpack_from(record)
            self.messages.append(LocalMessage(stack, *counted))
        elif kind == layout.META_SITE:
            self.sites.append(LocalSite(*_SITE.unpack_from(record)[2:]))


def _queue(record: bytes) -> LocalQueue:
    """Read a queue; readings whose times do not rise were being written when the end came."""
    if len(record) != layout.META_QUEUE_RECORD.itemsize:
        raise struct.error("a queue's record has another size")
    one = np.frombuffer(record, layout.META_QUEUE_RECORD)[0]
    readings: list[tuple[int, int, int]] = []
    for at_ns, length, moved in one["readings"][: int(one["count"])].tolist():
        if at_ns < layout.LATEST_NS and (not readings or at_ns > readings[-1][0]):
            readings.append((at_ns, length, moved))
    return LocalQueue(
        int(one["created_ns"]), int(one["created_stack"]), int(one["creator_tid"]), tuple(readings)
    )


def finished(chunk: bytes, at: int) -> int:
    """Return where the first record behind ``at`` lies that is still being written."""
    while at + 4 <= len(chunk):
        (word,) = _WORD.unpack_from(chunk, at)
        size = word & META_SIZE
        if not word & layout.META_READY or not size or at + size > len(chunk):
            break
        at += size
    return at


def read_meta(chunks: Iterable[bytes]) -> Meta:
    """Decode META chunks, which may refer to each other in any order."""
    raw = Interned()
    for chunk in chunks:
        raw.read(chunk)
    text = raw.strings
    functions = {
        number: Function(text.get(file, "?"), line, text.get(name, "?"))
        for number, name, file, line in raw.codes
    }
    objects = {
        one[1]: LocalObject(one[2], text.get(one[3], ""), *(*one[4:12], one[14]))
        for one in raw.objects
    }
    return Meta(
        LocalStacks(functions, raw.frames),
        objects,
        raw.orders,
        raw.queues,
        raw.messages,
        raw.sites,
        raw.damaged,
    )
