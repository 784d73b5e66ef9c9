"""Contention and the share held, from traces whose answer is plain."""

import numpy as np
import pytest

from concurtrace.analysis.gil import covered_ns, gil_totals, holds_of
from tests.builders_trace import MS, ZERO_NS, trace


def test_two_threads_that_take_turns() -> None:
    made = (
        trace()
        .thread("a").running(30).waits_gil(30, by="b").running(20)
        .thread("b").waits_gil(30, by="a").running(30).waits_gil(20, by="a")
        .build()
    )  # fmt: skip
    totals = gil_totals(made)
    assert totals is not None
    assert totals.contention == pytest.approx(80 / (80 + 80))
    assert totals.held == pytest.approx(1.0)


def test_a_thread_that_only_waits_for_io_wants_no_gil() -> None:
    totals = gil_totals(trace().thread("a").running(25).thread("b").io(100).build())
    assert totals is not None
    assert totals.contention == 0
    assert totals.held == pytest.approx(0.25)


def test_holds_of_two_processes_count_once_where_they_overlap() -> None:
    made = (
        trace()
        .process("one", started_by="main").thread("main").running(60).io(40)
        .process("two", parent=0).thread("main").io(30).running(60).io(10)
        .build()
    )  # fmt: skip
    totals = gil_totals(made)
    assert totals is not None
    assert totals.held == pytest.approx(0.9)


def test_without_a_gil_or_without_python_there_is_no_answer() -> None:
    made = trace().thread("a").running(10).build(gil=False)
    assert gil_totals(made) is None
    assert gil_totals(trace().thread("a").io(10).build()) is None


def test_union_of_nested_and_touching_intervals() -> None:
    starts = np.array([50, 0, 10, 90], np.int64)
    ends = np.array([90, 40, 20, 100], np.int64)
    assert covered_ns(starts, ends) == 40 + 50


def test_holds_are_reconstructed_over_states_that_keep_the_gil() -> None:
    made = trace().thread("a").running(10).blocks_gil(5).running(5).io(10).running(10).build()
    starts, ends = holds_of(made, made.threads[0])
    assert ((starts - ZERO_NS) // MS).tolist() == [0, 30]
    assert ((ends - ZERO_NS) // MS).tolist() == [20, 40]


def test_a_line_is_blamed_for_everybody_who_waits_while_it_runs() -> None:
    made = (
        trace()
        .process("one", started_by="main")
        .thread("a").running(40).sleeps(60)
        .sample(10, "app.py:3 in hot").sample(35, "app.py:4 in cold")
        .thread("b").waits_gil(20, by="a").sleeps(80)
        .thread("c").waits_gil(30, by="a").sleeps(70)
        # The GIL of another process is another GIL.
        .process("two", parent=0).thread("d").running(100).sample(10, "app.py:9 in other")
        .build()
    )  # fmt: skip
    totals = gil_totals(made)
    assert totals is not None
    # At 10 ms two threads waited, at 35 ms none did.
    assert [(one.where, one.ns) for one in totals.blame] == [("app.py:3 in hot", 20 * MS)]


def test_without_samples_no_line_is_blamed() -> None:
    totals = gil_totals(trace().thread("a").running(5).thread("b").waits_gil(5, by="a").build())
    assert totals is not None
    assert totals.blame == ()
