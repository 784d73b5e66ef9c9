"""Decode a trace for Perfetto, as little as the tests need and by code of its own."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

Field = int | bytes


def fields(data: bytes) -> Iterator[tuple[int, Field]]:
    """Decode a message: the numbers of its fields, and their values."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        match tag & 7:
            case 0:
                yield tag >> 3, varint()
            case 1:
                yield tag >> 3, int.from_bytes(data[at : at + 8], "little")
                at += 8
            case 2:
                length = varint()
                yield tag >> 3, data[at : at + length]
                assert at + length <= len(data)
                at += length
            case other:
                raise AssertionError(f"wire type {other}")


def one(data: bytes, number: int, default: Field = 0) -> Field:
    found = [value for key, value in fields(data) if key == number]
    assert len(found) < 2
    return found[0] if found else default


def message(data: bytes, number: int) -> bytes:
    found = one(data, number, b"")
    assert isinstance(found, bytes)
    return found


@dataclass
class Decoded:
    """Slices (track, start, end, name), counts (track, time, value), and flows by number."""

    tracks: dict[int, str] = field(default_factory=dict)
    slices: list[tuple[str, int, int, str]] = field(default_factory=list)
    counts: list[tuple[str, int, int]] = field(default_factory=list)
    leaves: dict[int, tuple[str, int]] = field(default_factory=dict)
    arrives: dict[int, tuple[str, int]] = field(default_factory=dict)
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)


def decode(data: bytes) -> Decoded:
    made = Decoded()
    names: dict[Field, str] = {}
    keys: dict[Field, str] = {}
    values: dict[Field, str] = {}
    opened: dict[int, tuple[int, str]] = {}
    for number, packet in fields(data):
        assert number == 1
        assert isinstance(packet, bytes)
        assert one(packet, 10) == 1
        for kind, table in ((2, names), (3, keys), (29, values)):
            fresh = [value for key, value in fields(message(packet, 12)) if key == kind]
            for text in fresh:
                assert isinstance(text, bytes)
                table[one(text, 1)] = message(text, 2).decode()
        track = message(packet, 60)
        if track:
            uuid = one(track, 1)
            assert isinstance(uuid, int)
            assert uuid not in made.tracks
            assert one(track, 5) in (0, *made.tracks)
            made.tracks[uuid] = message(track, 2).decode()
            continue
        time, event = one(packet, 8), message(packet, 11)
        uuid = one(event, 11)
        assert isinstance(time, int)
        assert isinstance(uuid, int)
        match one(event, 9):
            case 1:
                assert uuid not in opened
                opened[uuid] = (time, names[one(event, 10)])
                arrived = one(event, 48)
                assert isinstance(arrived, int)
                made.arrives[arrived] = (made.tracks[uuid], time)
                for key, note in fields(event):
                    if key == 4:
                        assert isinstance(note, bytes)
                        made.notes[keys[one(note, 1)], values[one(note, 17)]] += 1
            case 2:
                start, name = opened.pop(uuid)
                made.slices.append((made.tracks[uuid], start, time, name))
            case 3:
                flow = one(event, 47)
                assert isinstance(flow, int)
                made.leaves[flow] = (made.tracks[uuid], time)
            case 4:
                value = one(event, 30)
                assert isinstance(value, int)
                made.counts.append((made.tracks[uuid], time, value))
    assert not opened
    return made
