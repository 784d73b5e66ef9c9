"""Estimates from readings: what the kernel counted is kept, the rest is the wait it saw."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from concurtrace.model.spans import NO_CORE
from concurtrace.model.states import Reason, State
from concurtrace.recording.estimate import Reading, estimate, ran_ns

MS = 1_000_000


def _told(*readings: Reading, crowd: int | None = None) -> list[tuple[int, State, Reason, int]]:
    pairs = itertools.pairwise(readings)
    crowds = [ran_ns(*pair) if crowd is None else crowd for pair in pairs]
    spans = estimate(list(readings), crowds)
    return [
        (end - start, state, reason, int(core))
        for (start, end, state, reason), core in zip(spans.rows(), spans.core, strict=True)
    ]


def test_a_wait_ends_with_waiting_for_a_core_and_running() -> None:
    told = _told(Reading(0, "S", 0, 0, 0, "net"), Reading(20 * MS, "S", 1, 5 * MS, 3 * MS, "net"))
    assert told == [
        (12 * MS, State.IO_WAIT, Reason.NET, NO_CORE),
        (3 * MS, State.RUNNABLE, Reason.NONE, NO_CORE),
        (5 * MS, State.RUNNING, Reason.NONE, 1),
    ]


def test_what_many_threads_ran_together_cannot_all_have_held_the_gil() -> None:
    told = _told(
        Reading(0, "R", 0, 0, 0, ""), Reading(20 * MS, "R", 0, 20 * MS, 0, ""), crowd=40 * MS
    )
    assert told == [
        (10 * MS, State.RUNNING, Reason.NONE, 0),
        (10 * MS, State.RUNNING_NOGIL, Reason.NONE, 0),
    ]


def test_equal_neighbours_are_one_span() -> None:
    readings = [Reading(n * 20 * MS, "S", 0, 0, 0, "sleep") for n in range(5)]
    assert _told(*readings) == [(80 * MS, State.SLEEP, Reason.NONE, NO_CORE)]


def test_states_that_the_letter_alone_tells() -> None:
    assert _told(Reading(0, "S", 0, 0, 0, ""), Reading(MS, "T", 0, 0, 0, ""))[0][1] is State.STOPPED
    fault = _told(Reading(0, "S", 0, 0, 0, ""), Reading(MS, "D", 0, 0, 0, ""))[0]
    assert fault[1:3] == (State.IO_WAIT, Reason.FAULT)
    unknown = _told(Reading(0, "R", 0, 0, 0, ""), Reading(MS, "R", 0, 0, 0, ""))[0]
    assert unknown[1] is State.UNKNOWN


_COUNTS = st.integers(0, 30 * MS)


@given(
    st.lists(
        st.tuples(st.integers(1, 30 * MS), _COUNTS, _COUNTS, st.sampled_from("RSDT")), min_size=2
    ),
    st.integers(1, 4),
)
def test_spans_tile_the_time_between_the_readings(
    steps: list[tuple[int, int, int, str]], threads: int
) -> None:
    at = on_core = ready = 0
    readings = []
    for length, ran, waited, letter in steps:
        at, on_core, ready = at + length, on_core + ran, ready + waited
        readings.append(Reading(at, letter, 0, on_core, ready, "lock"))
    pairs = itertools.pairwise(readings)
    spans = estimate(readings, [threads * ran_ns(*pair) for pair in pairs])
    assert spans.start_ns[0] == readings[0].time_ns
    assert spans.end_ns[-1] == readings[-1].time_ns
    assert (spans.start_ns[1:] == spans.end_ns[:-1]).all()
    assert (spans.dur_ns > 0).all()
