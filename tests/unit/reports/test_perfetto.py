"""The Perfetto trace, read back by a decoder of its own."""

from concurtrace.reports import _wire
from concurtrace.reports.perfetto import RENDERER
from hypothesis import given
from hypothesis import strategies as st

from concurtrace.model.report import Report
from concurtrace.model.states import State
from tests import builders
from tests.builders_trace import MS
from tests.perfetto_decoding import Decoded, decode, fields


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
