"""Looking things up in a trace."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from concurtrace.model.spans import Spans
from concurtrace.model.states import State
from tests.builders_trace import MS, ZERO_NS, trace

HOUR = 3_600_000


def test_a_tid_is_found_by_the_time_at_which_it_was_whose() -> None:
    made = trace().thread("a").running(10).thread("b", start=20).running(10)
    made.thread("c", start=2 * HOUR).running(10)
    built = made.build()
    first, second, late = (thread.tid for thread in built.threads)
    tids = np.array([second, second, 0, 999_999, first, late, late], np.uint32)
    times = np.array([25, 10, 25, 25, 0, HOUR, 3 * HOUR], np.int64) * MS + ZERO_NS
    assert built.rows_of(tids, times).tolist() == [1, -1, -1, -1, 0, -1, 2]
    assert built.rows_of(np.empty(0, np.uint32), np.empty(0, np.int64)).tolist() == []


@given(st.lists(st.integers(1, 5)), st.data())
def test_columns_joined_and_taken_apart_are_the_same(sizes: list[int], data: st.DataObject) -> None:
    made = trace().thread("a")
    for number in range(sum(sizes)):
        made.span(data.draw(st.sampled_from([State.RUNNING, State.SLEEP])), 1 + number)
    spans = made.build().spans
    bounds = np.cumsum([0, *sizes]).tolist()
    parts = [spans.take(slice(*pair)) for pair in itertools.pairwise(bounds)]
    assert list(Spans.joined(parts).rows()) == list(spans.rows())


def test_the_rows_of_spans_are_those_of_their_threads() -> None:
    made = trace().thread("a").running(1).io(1).thread("b").thread("c").sleeps(1).build()
    assert made.span_threads.tolist() == [0, 0, 2]
    assert [len(made.spans_of(thread)) for thread in made.threads] == [2, 0, 1]
