"""A stream of Perfetto packets: tracks, and the slices, marks and counts on them.

The fields are those of protos/perfetto/trace/{trace_packet,track_event/*}.proto; names that come
again are written once and then referred to ("interned").
"""

from collections.abc import Iterable

from ._wire import content, fixed64, number, text, varint

_SEQUENCE = number(10, 1)
_FRESH = _SEQUENCE + number(13, 3)
"""The first packet: what was interned before holds no more, and later packets refer to it."""
_LATER = _SEQUENCE + number(13, 2)
_BEGIN, _END, _INSTANT, _COUNTER = (number(9, kind) for kind in (1, 2, 3, 4))
_EVENT_NAMES, _NOTE_NAMES, _NOTE_VALUES = 2, 3, 29


class Stream:
    """Packets in the order in which they were written; times in ns."""

    def __init__(self) -> None:
        self._packets: list[bytes] = []
        self._interned: dict[tuple[int, str], int] = {}
        self._fresh: list[bytes] = []
        self._tracks = 0

    def file(self) -> bytes:
        """Return the whole file."""
        return b"".join(self._packets)

    def track(self, name: str, parent: int = 0, detail: bytes = b"") -> int:
        """Describe a track and return its number; ``detail`` says what else it is."""
        self._tracks += 1
        above = number(5, parent) if parent else b""
        self._write(content(60, number(1, self._tracks) + text(2, name) + above + detail))
        return self._tracks

    def process(self, pid: int, name: str) -> int:
        """Describe a process."""
        return self.track(name, detail=content(3, number(1, pid) + text(6, name)))

    def thread(self, pid: int, tid: int, name: str, parent: int) -> int:
        """Describe a thread of a process."""
        given = number(1, pid) + number(2, tid) + text(5, name)
        return self.track(name, parent, content(4, given))

    def counter(self, name: str, unit: str, parent: int = 0) -> int:
        """Describe a track of numbers."""
        return self.track(name, parent, content(8, text(6, unit)))

    def begin(
        self, track: int, time_ns: int, name: str, notes: Iterable[tuple[str, str]], ends: int = 0
    ) -> None:
        """Begin a slice; ``ends`` is the number of the flow that leads to it, 0 = none."""
        event = _BEGIN + number(11, track) + number(10, self._intern(_EVENT_NAMES, name))
        for key, value in notes:
            given = number(1, self._intern(_NOTE_NAMES, key))
            event += content(4, given + number(17, self._intern(_NOTE_VALUES, value)))
        self._event(time_ns, event + (fixed64(48, ends) if ends else b""))

    def end(self, track: int, time_ns: int) -> None:
        """End the slice that is open on a track."""
        self._event(time_ns, _END + number(11, track))

    def mark(self, track: int, time_ns: int, name: str, starts: int = 0) -> None:
        """Mark a moment; ``starts`` is the number of the flow that leads from it, 0 = none."""
        event = _INSTANT + number(11, track) + number(10, self._intern(_EVENT_NAMES, name))
        self._event(time_ns, event + (fixed64(47, starts) if starts else b""))

    def count(self, track: int, time_ns: int, value: int) -> None:
        """Give the value of a counter from a moment on."""
        self._event(time_ns, _COUNTER + number(11, track) + number(30, value))

    def _intern(self, kind: int, name: str) -> int:
        found = self._interned.get((kind, name))
        if found is None:
            found = len(self._interned) + 1
            self._interned[kind, name] = found
            self._fresh.append(content(kind, number(1, found) + text(2, name)))
        return found

    def _event(self, time_ns: int, event: bytes) -> None:
        fresh = content(12, b"".join(self._fresh)) if self._fresh else b""
        self._fresh.clear()
        self._write(number(8, time_ns) + fresh + content(11, event))

    def _write(self, body: bytes) -> None:
        packet = (_LATER if self._packets else _FRESH) + body
        self._packets.append(b"\x0a" + varint(len(packet)) + packet)
