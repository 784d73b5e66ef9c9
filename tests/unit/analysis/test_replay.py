"""Replays of programs whose length anyone can work out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concurtrace.analysis.program import program
from concurtrace.analysis.replay import FOREVER, Does, Program, Rules, Step, Worker, replay
from concurtrace.analysis.unchanged import replay_unchanged
from concurtrace.model.states import Reason
from tests.builders_trace import TraceBuilder, trace

MS = 1_000_000
TWO = Rules(2, handover_ns=0)
NO_GIL = Rules(2, gil=False)


def computes(ms: float, does: Does = Does.PYTHON) -> Step:
    return Step(does, round(ms * MS))


def together(*workers: Worker) -> Program:
    """Workers and one that waits for all of them."""
    done = [
        Worker(one.row, one.process, (*one.steps, Step(Does.SIGNAL, edge=100 + number)))
        for number, one in enumerate(workers)
    ]
    waits = tuple(Step(Does.WAIT, edge=100 + number) for number in range(len(workers)))
    return Program((*done, Worker(-1, 0, waits)), len(workers))


def ms(taken: float | None) -> float:
    assert taken is not None
    return taken / MS


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(TWO, 60, id="one GIL: one after the other"),
        pytest.param(NO_GIL, 30, id="no GIL: two cores"),
        pytest.param(Rules(1, gil=False), 60, id="one core"),
        pytest.param(Rules(2, others=2, gil=False), 60, id="two programs more on two cores"),
    ],
)
def test_computing_takes_what_cores_and_gil_allow(rules: Rules, expected: float) -> None:
    given = together(Worker(0, 0, (computes(30),)), Worker(1, 0, (computes(30),)))
    assert ms(replay(given, rules)) == pytest.approx(expected)


def test_each_process_has_a_gil() -> None:
    given = together(Worker(0, 1, (computes(30),)), Worker(1, 2, (computes(30),)))
    assert ms(replay(given, TWO)) == pytest.approx(30)


def test_work_without_the_gil_goes_on_beside_python() -> None:
    native = computes(30, Does.NATIVE)
    given = together(Worker(0, 0, (native,)), Worker(1, 0, (computes(30),)))
    assert ms(replay(given, TWO)) == pytest.approx(30)


def test_who_waits_for_the_gil_asks_for_it_after_an_interval() -> None:
    """The convoy effect: each return from a wait costs a switch interval."""
    asks = (computes(1), Step(Does.DELAY, 2 * MS), computes(1))
    spins = Worker(0, 0, (computes(100),))
    given = Program((spins, Worker(1, 0, asks)), 1)
    # Asks for its first turn, waits 2 ms, asks again.
    assert ms(replay(given, TWO)) == pytest.approx(5 + 1 + 2 + 5 + 1)


def test_nobody_is_interrupted_where_turns_are_given() -> None:
    given = Program((Worker(0, 0, (computes(100),)), Worker(1, 0, (computes(1),))), 1)
    assert ms(replay(given, Rules(2, switch_interval_ns=FOREVER, handover_ns=0))) == 101


def test_a_short_call_keeps_the_gil_from_waiters() -> None:
    """Who wants it back before a waiter has woken up gets it."""
    brief = (computes(1), Step(Does.DELAY, 10_000), computes(1))
    given = Program((Worker(0, 0, brief), Worker(1, 0, (computes(100),))), 0)
    assert ms(replay(given, Rules(2))) == pytest.approx(2.01)


def test_a_program_that_waits_for_ever_has_no_length() -> None:
    assert replay(Program((Worker(0, 0, (Step(Does.WAIT, edge=1),)),), 0), TWO) is None


def lock_handed_on() -> TraceBuilder:
    """Two threads that hold one lock while they sleep, one after the other."""
    made = trace().thread("main").waits(50, Reason.JOIN, by="b").running(1)
    made.thread("a").sleeps(20).running(5)
    return made.thread("b").waits_lock(20, "L", by="a").sleeps(20).waits_gil(5).running(5)


def test_a_trace_takes_as_long_again() -> None:
    found = replay_unchanged(lock_handed_on().build(), 2, 5 * MS)
    assert found is not None
    # Waits for the GIL and for cores are decided anew: b need not have waited for a's Python.
    assert found.took_ns / MS == pytest.approx(46, abs=0.2)


def test_waits_for_others_last_until_those_have_come_there() -> None:
    made = program(lock_handed_on().build(), 2)
    assert made is not None
    b = made.workers[-1]
    assert [step.does for step in b.steps] == [
        Does.WAIT,
        Does.DELAY,
        Does.PYTHON,
        Does.SIGNAL,
    ]


def test_two_that_wait_for_each_other_go_on_in_the_order_of_the_recording() -> None:
    """Moments that were recorded as one make circles that the program did not have."""
    first = Worker(0, 0, (Step(Does.WAIT, 5, edge=1), computes(3), Step(Does.SIGNAL, edge=2)))
    second = Worker(1, 1, (Step(Does.WAIT, 6, edge=2), computes(4), Step(Does.SIGNAL, edge=1)))
    assert ms(replay(together(first, second), TWO)) == pytest.approx(7)


def test_a_process_takes_its_time_to_come_up_and_to_end() -> None:
    """Its parent waits for its very end; the child's thread covers less."""
    made = trace().process("Main", started_by="main").thread("MainThread").running(10)
    made.waits_child(50).running(1).process("Worker", parent=0)
    built = made.thread("MainThread", start=20).running(20).build()
    parent, child = built.processes
    child = replace(child, start_ns=built.start_ns + 10 * MS, end_ns=built.start_ns + 60 * MS)
    waker = np.array([0, child.pid, 0, 0], np.uint32)
    built = replace(built, processes=(parent, child), spans=replace(built.spans, waker=waker))
    found = replay_unchanged(built, 2, 5 * MS)
    assert found is not None
    assert ms(found.took_ns) == pytest.approx(61)


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from((Does.PYTHON, Does.NATIVE, Does.DELAY, Does.KEEPS_GIL)),
        st.integers(0, 30 * MS),
    ),
    max_size=8,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), STEPS), min_size=1, max_size=5), st.integers(1, 4))
def test_no_program_is_faster_than_its_work_or_slower_than_one_step_at_a_time(
    given_workers: list[tuple[int, tuple[Step, ...]]], cores: int
) -> None:
    """Work and span bound every schedule (Graham 1966), with every turn at a GIL paid for."""
    made = [Worker(row, process, steps) for row, (process, steps) in enumerate(given_workers)]
    took = replay(together(*made), Rules(cores, handover_ns=0))
    lengths = [sum(step.ns for step in one.steps) for one in made]
    computing = sum(
        step.ns for one in made for step in one.steps if step.does in (Does.PYTHON, Does.NATIVE)
    )
    assert took is not None
    assert took >= max(*lengths, computing / cores, 0) - 1
    assert took <= sum(lengths) + 1
