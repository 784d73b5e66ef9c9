"""The Perfetto trace, read back by a decoder of its own."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from concurtrace.reports import _wire
from concurtrace.reports.perfetto import RENDERER
from hypothesis import given
from hypothesis import strategies as st

from concurtrace.model.report import Report
from concurtrace.model.states import State
from tests import builders
from tests.builders_trace import MS

BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4
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


def decoded(report: Report) -> Decoded:
    return decode(RENDERER.render(report))


@given(st.integers(0, (1 << 64) - 1))
def test_numbers_come_back(value: int) -> None:
    assert list(fields(_wire.number(7, value))) == [(7, value)]
    assert list(fields(_wire.fixed64(300, value))) == [(300, value)]


@given(st.text(), st.binary(max_size=300))
def test_texts_come_back(text: str, data: bytes) -> None:
    written = _wire.text(2, text) + _wire.content(29, data)
    assert list(fields(written)) == [(2, text.encode()), (29, data)]


def test_every_span_is_a_slice_to_the_nanosecond() -> None:
    report = builders.everything()
    trace = report.recording.trace
    assert trace is not None
    made = decoded(report)
    mine = [one for one in made.slices if one[0] == "Worker-1"]
    assert [(start, end, name) for _, start, end, name in mine] == [
        (0, 40 * MS, "waiting for a lock"),
        (40 * MS, 50 * MS, "running Python"),
        (50 * MS, 70 * MS, "waiting to be told something (idle-worker)"),
        (70 * MS, 71 * MS, "unknown"),
    ]
    threads = [name for name in made.tracks.values() if name in ("MainThread", "Worker-1")]
    assert len(threads) == len(trace.threads)


def test_the_gil_has_its_holders_and_a_wait_leads_from_who_ended_it() -> None:
    made = decoded(builders.everything())
    held = [(start, end, name) for track, start, end, name in made.slices if track == "GIL"]
    assert held == [(0, 40 * MS, "MainThread"), (40 * MS, 50 * MS, "Worker-1")]
    (flow,) = made.leaves
    assert made.leaves[flow] == ("MainThread", 40 * MS)
    assert made.arrives[flow] == ("Worker-1", 40 * MS)
    assert made.notes["ended by", "MainThread"] >= 1
    assert any(key == "stack" and "fetch (crawl.py:4)" in value for key, value in made.notes)


def test_counters_begin_at_zero_and_end_there() -> None:
    made = decoded(builders.everything())
    names = {track for track, _, _ in made.counts}
    assert {
        "threads running",
        "threads waiting for the GIL",
        "threads ready without a core",
    } <= names
    for name in names:
        mine = [(time, value) for track, time, value in made.counts if track == name]
        assert mine == sorted(mine, key=lambda one: one[0])
        assert mine[-1][1] == 0
        assert min(value for _, value in mine) == 0
    locks = [
        value for track, _, value in made.counts if track.startswith("Lock fetch, made in fetch")
    ]
    assert locks == [0, 1, 0]


def test_without_states_it_says_what_to_do() -> None:
    data = RENDERER.render(builders.report())
    assert b"--with baseline,states" in data
    assert decode(data).slices == []
    assert State.RUNNING.code == 0
