"""Rules about locks, on traces whose answer is plain."""

from dataclasses import replace

from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import ask, diagnose
from concurtrace.model.report import Severity
from concurtrace.model.trace import Trace
from tests.builders import execution
from tests.builders_trace import MS, TraceBuilder, trace
from tests.unit.diagnosis.cases import case, heads, light, rule, severity

OK, INFO, WARNING = Severity.OK, Severity.INFO, Severity.WARNING


def fight(hold: float = 10, free: float = 0, rounds: int = 20) -> TraceBuilder:
    """Two threads that pass a lock to each other and compute under it, without the GIL."""
    made = trace().lock("L", "app.py:3 in setup")
    for _ in range(rounds):
        made.thread("a").runs_free(hold, at="app.py:9 in work").runs_free(free)
        made.waits_lock(hold, "L", by="b", at="app.py:8 in work")
        made.thread("b").waits_lock(hold, "L", by="a", at="app.py:8 in work").runs_free(free)
        made.runs_free(hold, at="app.py:9 in work")
    return made


def counted(made: TraceBuilder, acquisitions: int, hold_ms: float) -> Case:
    """Say how often the lock was taken and how long it was held in all."""
    built: Trace = made.build()
    lock = replace(built.objects[1], acquisitions=acquisitions, hold_ns=round(hold_ms * MS))
    return case(replace(built, objects=(built.objects[0], lock)))


def test_a_lock_that_threads_fight_for_is_one_story() -> None:
    given = counted(fight(), 40, 400)
    assert heads(given) == ["lock-contention"]
    first = diagnose(given)[0]
    assert "critical-path-lock" in first.also
    assert "app.py:3" in first.summary
    assert first.where == ("app.py:8 in work",)
    assert first.evidence is not None
    assert first.evidence["wait_ns"] == 400 * MS


def test_a_lock_waited_for_now_and_then_is_fine() -> None:
    made = fight(hold=0.1, free=20)
    assert heads(case(made)) == []
    assert severity("lock-contention", case(made)) is OK
    assert severity("critical-path-lock", case(made)) is OK


def test_the_path_goes_through_the_holder() -> None:
    given = counted(fight(), 40, 400)
    (said,) = ask(rule("critical-path-lock"), given)
    assert said.evidence["on_path_ns"] == 400 * MS


def convoy(threads: int) -> TraceBuilder:
    made = trace().lock("L", "app.py:3 in setup")
    for turn in range(threads * 10):
        for number in range(threads):
            made.thread(f"t{number}")
            if turn % threads == number:
                made.runs_free(10, at="app.py:9 in work")
            else:
                before = f"t{turn % threads}"
                made.waits_lock(10, "L", by=before, at="app.py:8 in work")
    return made


def test_a_queue_before_a_busy_lock_is_a_convoy() -> None:
    given = counted(convoy(4), 40, 400)
    assert heads(given) == ["lock-convoy"]
    assert severity("lock-convoy", counted(fight(), 40, 400)) is OK
    assert severity("lock-convoy", counted(convoy(4), 4000, 400)) is OK


def test_a_lock_held_across_a_sleep_is_told_before_the_contention_that_it_causes() -> None:
    made = trace().lock("L", "app.py:3 in setup")
    for _ in range(10):
        made.thread("a").io(10, at="app.py:9 in fetch").waits_lock(10, "L", by="b")
        made.thread("b").waits_lock(10, "L", by="a", at="app.py:8 in fetch").io(10)
    given = counted(made, 20, 200)
    assert heads(given) == ["lock-held-across-io"]
    (said,) = ask(rule("lock-held-across-io"), given)
    assert "app.py:9 in fetch" in said.summary
    assert severity("lock-held-across-io", counted(fight(), 40, 400)) is OK


def test_a_lock_whose_holder_waits_for_the_gil_is_a_part_of_the_gil_s_story() -> None:
    made = trace().lock("L", "app.py:3 in setup")
    for _ in range(50):
        made.thread("a").running(5).waits_gil(10, by="b")
        made.thread("b").waits_gil(5, by="a").running(5).waits_gil(5, by="c")
        made.thread("c").waits_lock(5, "L", by="a").waits_lock(5, "L", by="a").running(5)
    found = diagnose(case(made))
    (lock,) = [one for one in found if one.rule == "lock-contention"]
    assert (found[0].rule, lock.part_of) == ("gil-saturation", "gil-saturation")


def test_a_lock_taken_all_the_time_and_never_waited_for_is_too_much() -> None:
    given = counted(fight(hold=0.01, free=20), 1_000_000, 1)
    assert severity("over-synchronisation", given) is INFO
    assert severity("over-synchronisation", counted(fight(), 40, 400)) is OK


def stuck() -> TraceBuilder:
    return (
        trace()
        .lock("L", "app.py:1 in setup").lock("M", "app.py:2 in setup")
        .thread("main").running(10).waits_lock(990, "L", at="app.py:9 in join")
        .thread("a").running(20).waits_lock(980, "M", at="app.py:5 in first")
        .thread("b").running(20).waits_lock(980, "L", at="app.py:7 in second")
    )  # fmt: skip


def test_threads_that_wait_for_locks_until_they_are_ended_are_stuck() -> None:
    ended = light(executions=(execution(1000, timed_out=True, exit_code=None, signal=9),))
    given = case(stuck(), ended)
    (said,) = ask(rule("deadlock"), given)
    assert said.severity is WARNING
    assert "app.py:2 in setup" in said.explanation
    assert {"app.py:5 in first", "app.py:7 in second"} <= set(said.where)
    assert heads(given)[0] == "deadlock"


def test_a_run_that_ended_or_still_worked_is_not_stuck() -> None:
    ended = light(executions=(execution(1000, timed_out=True, exit_code=None),))
    assert severity("deadlock", case(stuck(), light(executions=(execution(1000),)))) is OK
    busy = stuck().thread("c").running(1000)
    assert severity("deadlock", case(busy, ended)) is OK
