"""The critical path, the window and concurrency, on traces whose answer is plain."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concurtrace.analysis.concurrency import Steps, concurrency
from concurtrace.analysis.critical_path import critical_path, ns_by_state, path_steps
from concurtrace.analysis.window import clip
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Trace
from tests.builders_trace import MS, ZERO_NS, trace

STATES = (State.RUNNING, State.LOCK_WAIT, State.IO_WAIT, State.GIL_WAIT, State.CONDITION_WAIT)


def test_the_path_goes_to_whoever_ended_a_wait() -> None:
    made = (
        trace()
        .thread("main").running(10, at="app.py:1 in main").waits(80, Reason.JOIN, by="w")
        .running(10, at="app.py:1 in main")
        .thread("w", start=10).running(30, at="app.py:5 in work").io(50, at="app.py:6 in work")
        .build()
    )  # fmt: skip
    path = critical_path(made)
    assert [made.threads[row].name for row in path.row] == ["w", "main"]
    assert path.length_ns == 90 * MS
    steps = {(one.state, one.where): one.ns // MS for one in path_steps(made, path)}
    assert steps == {
        (State.IO_WAIT, "app.py:6 in work"): 50,
        (State.RUNNING, "app.py:5 in work"): 30,
        (State.RUNNING, "app.py:1 in main"): 10,
    }


def test_waits_for_the_gil_and_for_a_core_stay_on_the_path() -> None:
    made = (
        trace()
        .thread("main").waits_gil(40, by="b").ready(20).running(40)
        .thread("b").running(100)
        .build()
    )  # fmt: skip
    found = ns_by_state(made, critical_path(made))
    expected = {State.GIL_WAIT: 40 * MS, State.RUNNABLE: 20 * MS, State.RUNNING: 40 * MS}
    assert found == expected


def test_threads_that_wake_each_other_at_one_instant_end_the_walk() -> None:
    made = (
        trace()
        .thread("a").waits_lock(50, "L", by="b").running(50)
        .thread("b").waits_lock(50, "L", by="a").running(50)
        .build()
    )  # fmt: skip
    assert critical_path(made).length_ns <= 100 * MS


def test_a_trace_of_nothing_has_no_path() -> None:
    assert critical_path(trace().build()).length_ns == 0


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    names = ["a", "b", "c"]
    made = trace()
    for name in names:
        made.thread(name, start=draw(st.integers(0, 5)))
        for _ in range(draw(st.integers(1, 8))):
            by = draw(st.sampled_from([None, *(one for one in names if one != name)]))
            made.span(draw(st.sampled_from(STATES)), draw(st.integers(1, 9)), by=by)
    return made.build()


@settings(max_examples=60, deadline=None)
@given(traces())
def test_the_path_is_one_line_through_time(made: Trace) -> None:
    path = critical_path(made)
    assert (path.end_ns >= path.start_ns).all()
    assert (path.start_ns[1:] == path.end_ns[:-1]).all()
    assert path.length_ns <= made.wall_ns
    assert (path.span_ns > 0).all()
    assert int(path.span_ns.sum()) <= path.length_ns


@settings(max_examples=60, deadline=None)
@given(traces(), st.integers(0, 40), st.integers(1, 40))
def test_windows_beside_each_other_hold_everything_once(made: Trace, at: int, more: int) -> None:
    cuts = [made.start_ns, ZERO_NS + at * MS, ZERO_NS + (at + more) * MS, made.end_ns]
    cuts = sorted(min(max(one, made.start_ns), made.end_ns) for one in cuts)
    sums: dict[State, int] = {}
    for start, end in pairwise(cuts):
        if start < end:
            for thread in clip(made, start, end).threads:
                for state, total in thread.totals.items():
                    sums[state] = sums.get(state, 0) + total.ns
    whole: dict[State, int] = {}
    for thread in made.threads:
        for state, total in thread.totals.items():
            whole[state] = whole.get(state, 0) + total.ns
    assert sums == whole


def test_concurrency_counts_who_works_and_who_wants_to() -> None:
    made = (
        trace()
        .thread("a").running(50).waits_gil(50, by="b").io(100)
        .thread("b").io(50).running(100).io(50)
        .build()
    )  # fmt: skip
    found = concurrency(made)
    assert (found.running_ns // MS).tolist() == [50, 150]
    assert (found.wanting_ns // MS).tolist() == [50, 100, 50]
    assert (found.alone_ns // MS).tolist() == [50, 50]
    assert found.effective == pytest.approx(0.75)


def test_steps_measure_how_long_there_were_exactly_so_many() -> None:
    starts, ends = np.array([0, 10, 10]), np.array([30, 20, 40])
    steps = Steps.of(starts, ends, 0, 50)
    assert steps.time_at().tolist() == [10, 20, 10, 10]
    assert steps.inside(2, np.array([0, 15]), np.array([50, 25])).tolist() == [10, 5]
