"""The ledger of the cores' time: every core-second is somewhere, and in one place."""

from dataclasses import replace

import pytest

from concurtrace.analysis.ledger import COLUMNS, ledger
from concurtrace.model.comparison import Ledger, Spent
from concurtrace.model.states import Reason
from tests.builders_trace import TraceBuilder, trace

MS = 1_000_000


def spent(made: TraceBuilder, cores: int = 2) -> dict[Spent, float]:
    found: Ledger = ledger(made.build(), cores)
    assert sum(found.spent.values()) == found.wall_ns * cores
    for post, ns in found.spent.items():
        assert sum(found.course[post]) == pytest.approx(ns, abs=COLUMNS)
    return {post: ns / MS for post, ns in found.spent.items()}


def test_a_thread_that_waits_for_the_gil_leaves_a_core_idle() -> None:
    made = trace().thread("a").running(10).waits_gil(10, by="b")
    made.thread("b").waits_gil(10, by="a").running(10)
    assert spent(made) == {Spent.RUNNING: 20, Spent.GIL: 20}


def test_the_course_says_when_it_was() -> None:
    made = trace().thread("a").running(10).io(10)
    course = ledger(made.build(), 1).course
    half, each = COLUMNS // 2, 20 * MS // COLUMNS
    assert course == {
        Spent.RUNNING: (each,) * half + (0,) * half,
        Spent.IO: (0,) * half + (each,) * half,
    }


def test_a_core_without_any_thread_has_nothing_to_do() -> None:
    assert spent(trace().thread("a").running(10)) == {Spent.RUNNING: 10, Spent.IDLE: 10}


def test_waiting_for_the_work_to_be_done_keeps_no_core() -> None:
    made = trace().thread("main").waits(10, Reason.JOIN, by="a")
    made.thread("a").running(10)
    assert spent(made) == {Spent.RUNNING: 10, Spent.IDLE: 10}


def test_others_have_the_core_that_a_ready_thread_lacks() -> None:
    """Whatever else is waited for meanwhile."""
    made = trace().thread("a").ready(10)
    made.thread("b").io(10)
    made.thread("c").running(10)
    assert spent(made) == {Spent.RUNNING: 10, Spent.READY: 10}


def test_more_waits_than_idle_cores_share_them() -> None:
    made = trace().thread("a").io(10)
    made.thread("b").waits_lock(10, "L", by="c")
    made.thread("c").sleeps(10)
    found = spent(made, cores=1)
    assert found == {Spent.LOCKS: pytest.approx(10 / 3), Spent.IO: pytest.approx(20 / 3)}


def test_a_process_that_comes_up_is_starting() -> None:
    made = trace().process("Main", started_by="main").thread("MainThread")
    made.waits(20, Reason.JOIN).process("Worker", parent=0).thread("MainThread", start=5)
    built = made.running(15).build()
    main, child = built.processes
    forked = replace(built, processes=(main, replace(child, start_ns=built.start_ns)))
    assert ledger(forked, 1).spent == {Spent.START: 5 * MS, Spent.RUNNING: 15 * MS}
