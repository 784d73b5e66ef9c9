"""Predictions of traces whose changed length anyone can work out by hand."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from concurtrace.analysis import program, unchanged
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import diagnose, judge
from concurtrace.diagnosis.prediction.chosen import predictions
from concurtrace.diagnosis.prediction.chunks import predict_chunks
from concurtrace.diagnosis.prediction.free_threaded import SLOWER, predict_free_threaded
from concurtrace.diagnosis.prediction.locks import predict_outside, predict_without
from concurtrace.diagnosis.prediction.one_loop import predict_one_loop
from concurtrace.diagnosis.prediction.processes import HANDED, predict_processes
from concurtrace.diagnosis.prediction.start_method import (
    COMES_UP_NS,
    SERVER_NS,
    predict_fork,
    predict_forkserver,
    predict_spawn,
)
from concurtrace.diagnosis.prediction.threads import predict_threads
from concurtrace.diagnosis.prediction.workers import predict_workers
from concurtrace.model.report import Prediction
from concurtrace.model.spans import Samples
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import ObjectKind, Origin, Trace
from tests.builders_trace import MS, TraceBuilder, trace
from tests.unit.diagnosis.cases import case, light, taking_turns


def speedup(found: Prediction | None, within: float = 0.03) -> object:
    """What to compare a speed-up with; a prediction also has to have a range around it."""
    assert found is not None
    assert found.low < found.speedup < found.high
    return pytest.approx(found.speedup, rel=within)


def turns() -> Case:
    """A main thread that waits for two others, which compute 500 ms under one GIL."""
    made = trace().thread("main").waits(500, Reason.JOIN, by="b").running(0.1)
    for _ in range(50):
        made.thread("a").running(5).waits_gil(5, by="b")
        made.thread("b").waits_gil(5, by="a").running(5)
    return case(made)


def test_the_unchanged_replay_says_how_far_off_the_model_is() -> None:
    found = predict_processes(turns())
    assert found is not None
    assert abs(found.model_error) < 0.02


def test_of_a_run_that_is_too_large_the_middle_is_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(program, "MOST_SPANS", 150)
    monkeypatch.setattr(unchanged, "PART", 60)
    found = predict_processes(turns())
    assert speedup(found) == 2
    assert found is not None
    (part,) = re.findall(r"all of the run is like the (\d+) ms in its middle", str(found))
    assert 100 < int(part) < 250


def test_computing_threads_become_processes_on_two_cores() -> None:
    assert speedup(predict_processes(turns())) == 2


def test_more_cores_than_threads_bring_no_more() -> None:
    given = turns()
    wide = case(given.whole, cores=16)
    assert speedup(predict_processes(wide)) == 2


def test_without_a_gil_python_is_slower_but_parallel() -> None:
    assert speedup(predict_free_threaded(turns())) == 2 / SLOWER.likely


def test_one_thread_is_no_case_for_free_threading() -> None:
    assert predict_free_threaded(case(trace().thread("main").running(100))) is None


def test_computing_in_one_loop_is_no_faster() -> None:
    assert speedup(predict_one_loop(turns())) == 1


def held(state: str, at_once: int = 3) -> Case:
    """Threads that each hold one lock three times for 20 ms, one after the other."""
    names = [f"t{number}" for number in range(at_once)]
    made = trace().lock("L", "app.py:1 in f")
    made.thread("main").waits(20 * 3 * at_once, Reason.JOIN, by=names[-1]).running(0.1)
    for number, name in enumerate(names):
        made.thread(name)
        if number:
            made.waits_lock(20 * number, "L", by=names[number - 1])
        for turn in range(3):
            made.sleeps(20) if state == "asleep" else made.runs_free(20)
            if turn < 2:
                before = names[number - 1]
                made.waits_lock(20 * (at_once - 1), "L", by=before)
    return case(made, cores=2)


def test_sleeps_under_a_lock_pass_side_by_side_without_it() -> None:
    given = held("asleep")
    assert speedup(predict_without(given, given.locks[0])) == 3


def test_sleeps_that_are_taken_out_of_a_lock_do_so_as_well() -> None:
    given = held("asleep")
    assert speedup(predict_outside(given, given.locks[0])) == 3


def test_computing_under_a_lock_is_bound_by_the_cores_without_it() -> None:
    given = held("computing")
    assert speedup(predict_without(given, given.locks[0])) == 2


def crew(many: int) -> Case:
    """Workers that wait for 100 ms each, after one that shares the work out."""
    made = trace().thread("main").waits(100, Reason.JOIN, by="worker-1").running(0.1)
    for number in range(many):
        made.thread(f"worker-{number}").io(100)
    return case(made)


@pytest.mark.parametrize(("many", "factor"), [(8, 2), (40, 10)])
def test_more_workers_wait_side_by_side(many: int, factor: float) -> None:
    given = crew(4)
    assert speedup(predict_workers(given, given.crews[0].rows, many)) == factor


def test_fewer_workers_do_the_work_of_those_that_are_gone() -> None:
    given = crew(4)
    assert speedup(predict_workers(given, given.crews[0].rows, 2)) == 0.5


def started(method: str, before: int, at: str = "process.py:314 in BaseProcess._bootstrap") -> Case:
    """A process that computes for 400 ms, some of them before it comes to its work."""
    made = trace().process("Main", started_by="main").thread("MainThread")
    made.span(State.CHILD_WAIT, 400, by="worker").running(0.1)
    made.process("Worker", parent=0, started_by=method).thread("worker").running(before)
    built = made.running(400 - before, at=f"/usr/lib/python3.11/multiprocessing/{at}").build()
    parent, child = built.processes
    child = replace(child, work_ns=built.start_ns + before * MS)
    return case(replace(built, processes=(parent, child)))


@pytest.mark.parametrize(
    ("method", "before", "change", "after"),
    [
        ("spawn", 100, predict_fork, 285 + COMES_UP_NS["fork"] / MS),
        ("spawn", 100, predict_forkserver, 285 + (COMES_UP_NS["forkserver"] + SERVER_NS) / MS),
        ("fork", 0, predict_spawn, 400 + COMES_UP_NS["spawn"] / MS),
    ],
)
def test_another_start_method_takes_its_own_time_before_the_work(
    method: str, before: int, change: Callable[[Case], Prediction | None], after: float
) -> None:
    assert speedup(change(started(method, before)), 0.005) == 400.1 / (after + 0.1)


def test_a_start_method_is_no_change_of_itself_or_of_what_was_not_started_by_it() -> None:
    assert predict_fork(started("fork", 0)) is None
    assert predict_spawn(started("fork", 0, "popen_fork.py:71 in Popen._launch")) is None
    assert predict_spawn(started("subprocess", 0)) is None
    # For whom a fork server waits, no recording tells.
    assert predict_fork(started("forkserver", 30)) is None
    assert predict_threads(started("forkserver", 30)) is None


def test_to_import_a_loop_is_not_to_run_one() -> None:
    where = "/usr/lib/python3.11/asyncio/base_events.py:1 in <module>"
    made = trace().thread("main").io(1, at=where).io(4000).running(1)
    assert speedup(predict_threads(case(made))) == 8


def seen(made: Trace, thread: str, at: str, share: float) -> Trace:
    """Let samples have seen a thread at a place for a share of its work."""
    tid = next(one.tid for one in made.threads if one.name == thread)
    built, many = trace().thread("main").running(1, at=at).build(), 50
    inside = round(many * share)
    samples = Samples(
        np.linspace(made.start_ns + 1, made.end_ns - MS, many).astype(np.int64),
        np.full(many, tid, np.uint32),
        np.full(many, State.RUNNING.code, np.uint8),
        np.zeros(many, np.int16),
        np.array([1] * inside + [0] * (many - inside), np.uint32),
        np.full(many, 10 * MS, np.int64),
    )
    return replace(made, samples=samples, stacks=built.stacks)


def test_what_a_process_does_once_each_of_several_does_anew() -> None:
    compiles = "/usr/lib/python3.11/re/_compiler.py:740 in compile"
    # 250 ms each; b, that shared what a had made in 100 ms, makes it again.
    found = predict_processes(case(seen(turns().whole, "a", compiles, 0.4)))
    assert speedup(found) == 500 / (350 + 3)
    own = predict_processes(case(seen(turns().whole, "a", "app.py:740 in compile", 0.4)))
    assert speedup(own) == 2


def test_handing_work_to_processes_costs_a_multiple_of_what_it_costs_to_threads() -> None:
    pool = "/usr/lib/python3.11/concurrent/futures/thread.py:58 in run"
    # 250 ms each; of b's, for which all is waited, 100 ms are the pool's own.
    found = predict_processes(case(seen(turns().whole, "b", pool, 0.4)))
    assert speedup(found) == 500 / (150 + 100 * HANDED + 3)


def test_messages_cost_threads_a_fraction() -> None:
    sends = "/usr/lib/python3.11/multiprocessing/connection.py:205 in Connection.send"
    found = predict_threads(case(seen(two_processes().whole, "w0", sends, 0.8)))
    # Of 100 ms, 80 were for messages; the other process goes on beside it, under the same GIL.
    assert speedup(found) == 100 / (100 + 20 + 80 / HANDED)


def test_cores_that_others_had_are_shared_with_them() -> None:
    made = turns().whole
    busy = case(made, light(competing_load=0.25))
    # Half a core of two: what two processes get is 2 / 2.5 of a core each.
    assert speedup(predict_processes(busy), 0.05) == 2 * 2 / 2.5


def test_larger_messages_save_most_of_what_each_costs() -> None:
    found = predict_chunks(case(trace().thread("main").running(100)), 0.5)
    # Seven tenths of the cost are of each message, of which nine tenths are saved.
    assert speedup(found) == 1 / (1 - 0.5 * 0.7 * 0.9)


def test_one_thread_that_waits_is_divided_among_threads() -> None:
    made = trace().thread("main")
    for _ in range(40):
        made.io(50).running(0.01)
    found = predict_threads(case(made))
    # The case names eight workers.
    assert speedup(found) == 8


def two_processes() -> Case:
    """A parent that waits for two children, which compute 100 ms side by side."""
    made = trace().process("Main", started_by="main").thread("MainThread")
    made.io(100, Reason.IPC, by="w0").io(0.1, Reason.IPC, by="w1").running(0.1)
    made.process("w0", parent=0).thread("w0").running(100)
    return case(made.process("w1", parent=0).thread("w1").running(100.1))


def test_processes_in_one_process_share_its_gil() -> None:
    assert speedup(predict_threads(two_processes())) == 0.5


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(case(None), id="nothing recorded"),
        pytest.param(case(taking_turns().build(origin=Origin.ESTIMATED)), id="estimated"),
    ],
)
def test_without_a_recording_nothing_is_foretold(given: Case) -> None:
    assert predictions(given) == ()


def test_findings_carry_what_their_remedy_would_bring() -> None:
    made: TraceBuilder = trace().lock("L", "app.py:1 in f", ObjectKind.LOCK)
    made.thread("main").waits(300, Reason.JOIN, by="t1").running(1)
    for _ in range(5):
        made.thread("t0").sleeps(30, at="app.py:5 in f").waits_lock(30, "L", by="t1")
        made.thread("t1").waits_lock(30, "L", by="t0").sleeps(30, at="app.py:5 in f")
    found = next(one for one in diagnose(case(made)) if one.rule == "lock-held-across-io")
    assert found.prediction is not None
    assert found.prediction.what_if.startswith("no wait while holding the Lock made in f")
    assert found.prediction.speedup == pytest.approx(2, rel=0.05)


def test_the_verdict_says_what_the_change_would_bring() -> None:
    given = turns()
    said = judge(given).verdict
    (after,) = re.findall(r"change \(processes\), the run takes (\d+) ms instead of 500 ms\.", said)
    assert int(after) == pytest.approx(250, rel=0.03)


def test_a_loop_is_no_thread_whose_work_can_be_divided() -> None:
    where = "/usr/lib/python3.11/asyncio/base_events.py:640 in BaseEventLoop.run_forever"
    made = trace().thread("main")
    for _ in range(10):
        made.io(10, Reason.POLL, at=f"app.py:3 in main < {where}").running(1)
    given = case(made)
    assert predict_processes(given) is None
    found = predict_threads(given)
    assert found is not None
    assert found.speedup <= 1
