"""Rules about turns, wake-ups, pools, imports, peers and ends, on traces whose answer is plain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import ask
from concurtrace.model.report import Severity
from concurtrace.model.run import Execution
from concurtrace.model.spans import Samples
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import EndedBy, LockOrder, StateTotal, ThreadEnd, Trace
from tests import builders
from tests.builders_trace import MS, ZERO_NS, TraceBuilder, trace
from tests.unit.diagnosis.cases import case, heads, light, rule, severity

OK, INFO, WARNING = Severity.OK, Severity.INFO, Severity.WARNING
LIB = "/usr/lib/python3.11"
POOLED = f"{LIB}/concurrent/futures/thread.py:80 in _worker"


def sampled(made: Trace, thread: str, *places: tuple[str, int]) -> Trace:
    """Lay samples over a trace: so many at each place, which some span of it must name."""
    tid = next(one.tid for one in made.threads if one.name == thread)
    rows: list[int] = []
    for place, count in places:
        file, _, rest = place.rpartition(":")
        line = int(rest.partition(" in ")[0])
        names = [one.file for one in made.stacks.functions]
        found = [
            row
            for row in range(1, len(made.stacks.parent))
            if names[made.stacks.code[row]] == file and made.stacks.line[row] == line
        ]
        rows += found[:1] * count
    size = len(rows)
    return replace(
        made,
        samples=Samples(
            time_ns=made.start_ns + np.arange(size, dtype=np.int64) * MS,
            tid=np.full(size, tid, np.uint32),
            state=np.full(size, State.RUNNING.code, np.uint8),
            core=np.zeros(size, np.int16),
            stack=np.array(rows, np.uint32),
            weight_ns=np.full(size, 10 * MS, np.int64),
        ),
    )


def test_an_inversion_names_threads_locks_and_places() -> None:
    made = trace().lock("A", "app.py:1 in <module>").lock("B", "app.py:2 in <module>")
    made.thread("one").running(9, at="app.py:5 in forth").thread("two").running(9)
    built = made.build()
    one, two = (thread.tid for thread in built.threads)
    (stack,) = np.unique(built.spans.stack[built.spans.stack != 0]).tolist()
    orders = (LockOrder(2, (1,), (one,), stack=stack), LockOrder(1, (2,), (two,)))
    (said,) = ask(rule("lock-order-inversion"), case(replace(built, orders=orders)))
    assert said.severity is WARNING
    assert said.where == ("app.py:5 in forth",)
    assert "one held the Lock made in <module> (app.py:1) and took" in said.explanation
    assert severity("lock-order-inversion", case(replace(built, orders=orders[:1]))) is OK


def held_long(holds: float, rounds: int, state: State = State.RUNNING_NOGIL) -> Trace:
    made = trace().lock("L", "app.py:1 in <module>")
    for _ in range(rounds):
        made.thread("a").span(state, holds, at="app.py:5 in work").waits_lock(holds, "L", by="b")
        made.thread("b").waits_lock(holds, "L", by="a").span(state, holds)
    built = made.build()
    objects = tuple(
        replace(one, acquisitions=2 * rounds, hold_ns=round(2 * rounds * holds * MS))
        if one.text == "L"
        else one
        for one in built.objects
    )
    return replace(built, objects=objects)


def test_a_lock_held_long_by_threads_at_work_is_a_coarse_section() -> None:
    (said,) = ask(rule("coarse-critical-section"), case(held_long(40, 10)))
    assert said.severity is WARNING
    assert "40.0 ms on average" in said.summary
    assert severity("coarse-critical-section", case(held_long(2, 200))) is OK
    assert severity("coarse-critical-section", case(held_long(40, 10, State.IO_WAIT))) is OK


def one_by_one(*, ahead: bool) -> Trace:
    """A pool's worker that sleeps for each piece; ``ahead``: it begins the next at once."""
    made = trace().thread("main").running(1)
    made.thread("worker", start=1)
    if ahead:
        made.sleeps(1000, at=f"app.py:2 in ask < {POOLED}")
    for _ in range(10):
        made.thread("main").waits(90, Reason.FUTURE, by="worker", at="app.py:9 in main").running(10)
        if not ahead:
            made.thread("worker").sleeps(90, at=f"app.py:2 in ask < {POOLED}")
            made.waits(10, Reason.IDLE_WORKER, by="main", at=POOLED)
    return made.build()


def test_a_pool_that_gets_its_next_piece_after_each_result_is_fed_one_by_one() -> None:
    given = case(one_by_one(ahead=False))
    (said,) = ask(rule("serialised-submission"), given)
    assert said.severity is WARNING
    assert said.evidence["waits"] == 10
    assert said.gain_ns == 810 * MS
    assert severity("serialised-submission", case(one_by_one(ahead=True))) is OK


@pytest.mark.parametrize(("served", "expected"), [(20, WARNING), (250, INFO), (900, OK)])
def test_who_hardly_gets_its_turn_starves(served: float, expected: Severity) -> None:
    made = trace().thread("main").waits(1000, Reason.JOIN)
    for number in range(3):
        made.thread(f"eater-{number}").sleeps(950).waits_lock(50, "fork")
    made.thread("eater-3").waits_lock(1000 - served, "fork", by="eater-1").sleeps(served)
    (said,) = ask(rule("starvation"), case(made))
    assert said.severity is expected
    assert ("eater-3" in said.summary) is (expected is not OK)


def test_threads_that_never_lived_together_starve_nobody() -> None:
    made = trace().thread("main").waits(3000, Reason.JOIN)
    for number in range(3):
        made.thread(f"eater-{number}", start=number * 1000).waits_lock(900, "fork").sleeps(100)
    assert severity("starvation", case(made)) is OK


def test_the_main_thread_behind_a_holder_that_stands_in_line() -> None:
    made = trace()
    for _ in range(10):
        made.thread("main").waits_lock(80, "L", by="holder", at="app.py:3 in serve").sleeps(20)
        made.thread("holder").waits_gil(70, by="other").running(30)
        made.thread("other").running(70).waits_gil(30, by="holder")
    (said,) = ask(rule("priority-inversion"), case(made))
    assert said.severity is WARNING
    assert said.where == ("app.py:3 in serve",)


def test_the_main_thread_behind_a_holder_at_work_is_no_inversion() -> None:
    made = trace()
    for _ in range(10):
        made.thread("main").waits_lock(80, "L", by="holder").sleeps(20)
        made.thread("holder").running(80).sleeps(20)
    assert severity("priority-inversion", case(made)) is OK


def asking(questions: int, others: int) -> Case:
    made = trace().thread("main")
    made.running(900, at=f"{LIB}/threading.py:5 in Event.is_set < app.py:7 in look")
    made.running(100, at="app.py:8 in work")
    built = sampled(
        made.build(),
        "main",
        (f"{LIB}/threading.py:5 in Event.is_set", questions),
        ("app.py:7 in look", 4 * questions),
        ("app.py:8 in work", others),
    )
    return case(built)


def test_a_loop_of_questions_is_busy_waiting_and_a_worker_that_looks_up_is_not() -> None:
    (said,) = ask(rule("busy-waiting"), asking(10, 10))
    assert said.severity is WARNING
    assert said.evidence["spun_ns"] == 1000 * MS
    assert severity("busy-waiting", asking(2, 90)) is OK


def test_sleeps_of_no_length_are_busy_waiting_too() -> None:
    for count, expected in ((20_000, WARNING), (100, OK)):
        built = trace().thread("main").running(900).sleeps(100).build()
        (main,) = built.threads
        totals = {**main.totals, State.SLEEP: StateTotal(100 * MS, count)}
        asked = replace(built, threads=(replace(main, totals=totals),))
        assert severity("busy-waiting", case(asked)) is expected


def woken(waiters: int, *, again: bool) -> TraceBuilder:
    made = trace()
    for number in range(30):
        made.thread("teller").running(1).sleeps(9)
        for one in range(waiters):
            made.thread(f"w{one}").waits(9, Reason.CONDITION, by="teller", at="app.py:4 in take")
            made.running(0.1 if again and one != number % waiters else 1)
            made.sleeps(0.9 if again and one != number % waiters else 0)
    return made


def test_many_woken_for_one_thing_are_a_herd() -> None:
    (said,) = ask(rule("thundering-herd"), case(woken(6, again=True)))
    assert said.severity is WARNING
    assert said.where == ("app.py:4 in take",)
    assert severity("thundering-herd", case(woken(6, again=False))) is OK
    assert severity("thundering-herd", case(woken(2, again=True))) is OK


def test_one_thread_that_is_woken_again_and_again_is_no_herd() -> None:
    made = trace().thread("teller").running(200).thread("one")
    for _ in range(200):
        made.waits(0.5, Reason.CONDITION, by="teller", at="app.py:4 in take").running(0.1)
    assert severity("thundering-herd", case(made)) is OK


def test_imports_that_take_most_of_the_run() -> None:
    at = "<frozen importlib._bootstrap>:9 in _find_and_load < app.py:1 in <module>"
    built = trace().thread("main").running(900, at=at).running(100, at="app.py:5 in work").build()
    importing = ("<frozen importlib._bootstrap>:9 in _find_and_load", 80)
    (said,) = ask(rule("import-cost"), case(sampled(built, "main", importing)))
    assert said.severity is WARNING
    assert said.where == ("app.py:1 in <module>",)
    working = sampled(built, "main", (importing[0], 10), ("app.py:5 in work", 90))
    assert severity("import-cost", case(working)) is OK


def test_one_long_answer_is_a_slow_peer_and_many_short_ones_are_not() -> None:
    slow = trace().thread("main").running(100).io(2500, at="app.py:2 in fetch").running(400)
    (said,) = ask(rule("slow-peer"), case(slow))
    assert said.severity is WARNING
    assert said.gain_ns == 2500 * MS
    quick = trace().thread("main")
    for _ in range(100):
        quick.io(25).running(5)
    assert severity("slow-peer", case(quick)) is OK
    own = trace().thread("main").io(2500, by="server").thread("server").running(2500)
    assert severity("slow-peer", case(own)) is OK


def parent(held: float, idle: float) -> TraceBuilder:
    made = trace().process("parent", started_by="main").thread("main").running(held * 1000)
    if held < 1:
        made.waits((1 - held) * 1000, Reason.FUTURE)
    for number in range(2):
        made.process(f"worker-{number}", parent=0).thread("t").running((1 - idle) * 1000)
        made.waits(idle * 1000, Reason.IDLE_WORKER)
    return made


def test_a_parent_that_is_always_busy_keeps_its_workers_waiting() -> None:
    assert severity("parent-bottleneck", case(parent(0.95, 0.6))) is WARNING
    assert severity("parent-bottleneck", case(parent(0.95, 0.1))) is OK
    assert severity("parent-bottleneck", case(parent(0.3, 0.6))) is OK


def test_threads_that_libraries_start_beside_workers() -> None:
    def blas(beside: int) -> Trace:
        made = trace().process("main", started_by="main").thread("main").waits_child(1000)
        for number in range(2):
            made.process(f"worker-{number}", parent=0).thread("t").running(1000)
            for other in range(beside):
                made.thread(f"native-{other}").runs_free(200).ready(800)
        built = made.build()
        return replace(
            built,
            threads=tuple(
                replace(one, runs_python=not one.name.startswith("native"), cpu_ns=200 * MS)
                for one in built.threads
            ),
        )

    (said,) = ask(rule("nested-parallelism"), case(blas(3)))
    assert said.severity is WARNING
    assert said.evidence["native"] == 6
    assert severity("nested-parallelism", case(blas(0))) is OK


def test_pieces_that_cost_more_to_hand_out_than_to_do() -> None:
    submit = f"{LIB}/concurrent/futures/thread.py:165 in ThreadPoolExecutor.submit"
    made = trace().thread("main").running(900, at=f"{LIB}/queue.py:3 in Queue.put < {submit}")
    built = made.running(100, at=f"app.py:5 in square < {POOLED}").build()
    put, work = f"{LIB}/queue.py:3 in Queue.put", "app.py:5 in square"
    (said,) = ask(rule("fine-granularity"), case(sampled(built, "main", (put, 80), (work, 20))))
    assert said.severity is WARNING
    assert severity("fine-granularity", case(sampled(built, "main", (put, 10), (work, 90)))) is OK


def window(callback: float, ready: float = 0) -> TraceBuilder:
    loop = f"{LIB}/tkinter/__init__.py:1504 in Misc.mainloop < app.py:50 in main"
    made = trace().thread("main")
    for number in range(5):
        made.span(State.CONDITION_WAIT, 20, at=loop)
        made.running(callback if number == 2 else 1, at=f"app.py:9 in press < {loop}")
        if number == 2 and ready:
            made.ready(ready)
    return made


def test_a_callback_that_keeps_the_main_loop_freezes_the_window() -> None:
    (said,) = ask(rule("frozen-gui"), case(window(600)))
    assert said.severity is WARNING
    assert said.evidence["longest_ns"] == 600 * MS
    assert said.where[0] == "app.py:9 in press"
    assert severity("frozen-gui", case(window(150))) is INFO
    assert severity("frozen-gui", case(window(20))) is OK
    # For want of a core it answers late, but not by its own doing.
    assert severity("frozen-gui", case(window(20, ready=600))) is OK


def daemon(state: State, ended: ThreadEnd) -> Trace:
    """A program that ends beside a thread that has been in a state all the time."""
    made = trace().thread("main").sleeps(990).running(10)
    built = made.thread("daemon").span(state, 1000, at="app.py:3 in beat").build()
    return replace(
        built,
        threads=tuple(one if one.is_main else replace(one, ended=ended) for one in built.threads),
    )


@pytest.mark.parametrize("ended", [ThreadEnd.ALIVE, ThreadEnd.STOPPED])
def test_a_daemon_at_work_when_the_program_ends_is_cut_short(ended: ThreadEnd) -> None:
    (said,) = ask(rule("daemon-cut-short"), case(daemon(State.RUNNING_NOGIL, ended)))
    assert said.severity is WARNING
    assert "(daemon)" in said.summary
    assert said.where == ("app.py:3 in beat",)
    assert severity("daemon-cut-short", case(daemon(State.SLEEP, ended))) is OK
    returned = daemon(State.RUNNING_NOGIL, ThreadEnd.RETURNED)
    assert severity("daemon-cut-short", case(returned)) is OK


def test_a_daemon_that_slept_is_told_where_the_result_is_wrong() -> None:
    beats, wrong = daemon(State.SLEEP, ThreadEnd.ALIVE), light(verified=False)
    assert severity("daemon-cut-short", case(beats, wrong)) is WARNING
    assert severity("lost-update", case(beats, wrong)) is OK


def test_a_daemonic_process_is_ended_by_its_parent() -> None:
    made = trace().process("main", started_by="main").thread("main").sleeps(1000)
    made.process("child", parent=0).thread("t").runs_free(990)
    built = made.build()
    main, child = built.processes
    stopped = replace(child, ended_by=EndedBy.SIGNAL, exit_code=None, signal=15)
    given = case(replace(built, processes=(main, stopped)))
    assert severity("daemon-cut-short", given) is WARNING
    killed = replace(stopped, signal=9)
    assert severity("daemon-cut-short", case(replace(built, processes=(main, killed)))) is OK


def test_a_wrong_result_of_several_threads_is_a_lost_update() -> None:
    def given(threads: int, *checksums: str, verified: bool | None = None) -> Case:
        made = trace()
        for number in range(threads):
            made.thread(f"t{number}").running(100 - number)
            made.waits(1, Reason.JOIN)
        runs = tuple(Execution(10, 10, ZERO_NS, 0, checksum=one) for one in checksums)
        return case(made, replace(light(verified=verified), executions=runs))

    assert severity("lost-update", given(2, "a", verified=True)) is OK
    assert severity("lost-update", given(2, "a", "b")) is WARNING
    assert severity("lost-update", given(1, "a", verified=False)) is OK
    (said,) = ask(rule("lost-update"), given(2, "b", verified=False))
    assert said.severity is WARNING
    assert heads(given(2, "b", verified=False))[:1] == ["lost-update"]


def test_calls_that_found_their_data_put_nobody_to_sleep() -> None:
    made = trace()
    talker = made.thread("talker")
    for _ in range(100):
        talker.io(0.02).running(0.01)
    assert severity("context-switch-storm", case(made)) is WARNING
    counted = builders.cores([1.0], [1.0])  # whose only process gave up its core twelve times
    assert severity("context-switch-storm", case(made, recording=counted)) is OK
