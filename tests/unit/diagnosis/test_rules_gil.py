"""Rules about the GIL and the cores, on traces whose answer is plain."""

from dataclasses import replace

from concurtrace.diagnosis.engine import ask
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason
from concurtrace.model.trace import Trace
from tests import builders
from tests.builders_trace import MS, TraceBuilder, trace
from tests.unit.diagnosis.cases import case, heads, light, rule, severity, taking_turns

OK, INFO, WARNING = Severity.OK, Severity.INFO, Severity.WARNING


def with_cpu(made: TraceBuilder | Trace, *cpu: float) -> Trace:
    """Give threads the kernel's CPU times, in the order of the trace."""
    built = made.build() if isinstance(made, TraceBuilder) else made
    pairs = zip(built.threads, cpu, strict=True)
    return replace(built, threads=tuple(replace(one, cpu_ns=round(ms * MS)) for one, ms in pairs))


def side_by_side(threads: int = 2, ms: float = 500) -> TraceBuilder:
    made = trace().thread("main").waits(ms, Reason.JOIN)
    for number in range(threads):
        made.process(f"worker-{number}", parent=0).thread("main-of-worker").running(ms)
    return made


def test_threads_that_take_turns_at_the_gil_are_one_story() -> None:
    given = case(taking_turns())
    assert heads(given) == ["gil-saturation"]
    (said,) = ask(rule("gil-saturation"), given)
    assert said.evidence["held"] == 1.0
    assert said.evidence["wait_ns"] == 500 * MS
    assert "app.py:5 in parse" in said.where
    assert said.gain_ns == 250 * MS


def test_one_thread_or_several_processes_do_not_saturate_the_gil() -> None:
    assert severity("gil-saturation", case(trace().thread("main").running(900))) is OK
    assert heads(case(side_by_side())) == []


def test_a_gil_hardly_waited_for_is_fine() -> None:
    made = (
        trace()
        .thread("a").running(100).io(400).running(100)
        .thread("b").io(100).waits_gil(5, by="a").running(100).io(395)
    )  # fmt: skip
    assert heads(case(made)) == []


def convoy(wait: float, each: float = 1) -> TraceBuilder:
    made = trace()
    for _ in range(40):
        made.thread("io").io(each).waits_gil(wait, by="cpu", at="app.py:3 in recv").running(0.1)
        made.thread("cpu").running(each + wait, at="app.py:9 in spin").waits_gil(0.1, by="io")
    return made


def test_returns_from_io_that_wait_an_interval_are_a_convoy() -> None:
    given = case(convoy(5))
    assert heads(given)[0] == "gil-convoy"
    (said,) = ask(rule("gil-convoy"), given)
    assert said.evidence["returns"] == 40
    assert said.evidence["holder"] == "cpu"
    assert said.gain_ns == 200 * MS


def test_returns_that_get_the_gil_at_once_are_no_convoy() -> None:
    assert severity("gil-convoy", case(convoy(0.2, each=6))) is OK


def test_a_holder_that_waits_for_io_too_makes_no_convoy() -> None:
    made = trace()
    for _ in range(30):
        made.thread("a").io(5).waits_gil(4, by="b").running(1)
        made.thread("b").running(5).io(5)
    assert severity("gil-convoy", case(made)) is OK


def test_a_long_hold_with_a_waiter_is_told_and_without_is_not() -> None:
    held = trace().thread("a").running(200, at="app.py:4 in crunch").thread("b")
    held.running(1).waits_gil(199, by="a")
    assert severity("long-gil-hold", case(held)) is WARNING
    assert severity("long-gil-hold", case(taking_turns())) is OK
    assert severity("long-gil-hold", case(trace().thread("a").running(200))) is OK


def test_sleep_with_the_gil_matters_as_far_as_others_wait_for_it() -> None:
    made = (
        trace()
        .thread("a").blocks_gil(100, at="app.py:7 in call").running(100)
        .thread("b").waits_gil(100, by="a").running(20).io(80)
    )  # fmt: skip
    given = case(made)
    assert heads(given)[0] == "gil-held-while-blocked"
    (said,) = ask(rule("gil-held-while-blocked"), given)
    assert (said.where, said.gain_ns) == (("app.py:7 in call",), 100 * MS)
    alone = trace().thread("a").blocks_gil(100).running(100)
    assert severity("gil-held-while-blocked", case(alone)) is OK
    assert severity("gil-held-while-blocked", case(alone.thread("b").io(200))) is INFO
    assert severity("gil-held-while-blocked", case(trace().thread("a").sleeps(100))) is OK


def test_a_holder_without_a_core_is_nobody_s_warning() -> None:
    made = (
        trace()
        .thread("a").running(50).ready(50, Reason.HOLDING_GIL).running(50)
        .thread("b").running(1).waits_gil(149, by="a")
    )  # fmt: skip
    built = with_cpu(made, 100, 1)
    assert severity("gil-holder-preempted", case(built)) is INFO
    assert severity("gil-holder-preempted", case(with_cpu(taking_turns(), 250, 250))) is OK


def test_threads_slower_than_one_scale_negatively() -> None:
    turns = taking_turns()
    assert severity("negative-scaling", case(with_cpu(turns, 250, 250))) is OK
    slow = trace()
    for _ in range(50):
        slow.thread("a").running(3).waits_gil(7, by="b")
        slow.thread("b").waits_gil(4, by="a").running(3).waits_gil(3, by="a")
    for one in ("a", "b"):
        slow.thread(one).blocks_gil(200)
    (said,) = ask(rule("negative-scaling"), case(with_cpu(slow, 150, 150)))
    assert said.severity is WARNING
    assert said.evidence["lost_ns"] == 400 * MS


def test_a_part_that_one_thread_does_alone_bounds_the_rest() -> None:
    made = (
        trace()
        .thread("main").running(600, at="app.py:3 in prepare").waits(200, Reason.JOIN)
        .process("w1", parent=0).thread("t").io(600, Reason.IPC).running(200)
        .process("w2", parent=0).thread("t").io(600, Reason.IPC).running(200)
    )  # fmt: skip
    given = case(made)
    assert severity("serial-section", given) is WARNING
    (said,) = ask(rule("serial-section"), given)
    assert said.evidence["alone_ns"] == 600 * MS
    assert "app.py:3 in prepare" in said.where


def test_a_sequential_program_has_no_serial_section_and_peers_are_no_part_of_it() -> None:
    assert severity("serial-section", case(trace().thread("main").running(900))) is OK
    made = (
        trace()
        .thread("a").running(300).io(300).running(300)
        .thread("b").io(300).running(300).io(300)
    )  # fmt: skip
    assert severity("serial-section", case(made)) is OK


def test_idle_cores_are_told_and_never_warned_of() -> None:
    assert severity("idle-cores", case(trace().thread("main").running(900))) is INFO
    assert severity("idle-cores", case(side_by_side())) is OK
    made = trace().process("one", started_by="main").thread("a")
    for _ in range(10):
        made.running(50).waits(50, Reason.EVENT)
    made.process("two", parent=0).thread("b")
    for _ in range(10):
        made.waits(50, Reason.EVENT).running(50)
    assert severity("idle-cores", case(made, cores=4)) is INFO


def test_twice_as_many_threads_as_cores_do_no_harm_and_eight_times_do() -> None:
    def crowd(threads: int) -> Trace:
        made = side_by_side(threads)
        return with_cpu(made, 0, *[500 * 2 / threads] * threads)

    assert severity("oversubscription", case(crowd(2))) is OK
    assert severity("oversubscription", case(crowd(4))) is OK
    assert severity("oversubscription", case(crowd(16))) is WARNING


def test_other_programs_are_told_and_never_blamed_on_the_code() -> None:
    built = with_cpu(side_by_side(), 0, 250, 250)
    busy = case(built, light(competing_load=0.5))
    assert severity("competing-load", busy) is INFO
    assert heads(busy) == []
    assert severity("competing-load", case(built, light(competing_load=0.05))) is OK


def test_a_free_threaded_build_with_the_gil_is_told() -> None:
    given = case(side_by_side())
    python = replace(builders.environment(), free_threaded=True)
    assert severity("gil-re-enabled", replace(given, environment=python)) is WARNING
    assert severity("gil-re-enabled", given) is OK


def test_a_crowd_of_threads_that_each_run_little_saturates_the_gil_too() -> None:
    made = trace()
    for number in range(100):
        made.thread(f"t{number}").waits_gil(10 * number, by="t0").running(10)
        made.waits_gil(10 * (99 - number), by="t0")
    (said,) = ask(rule("gil-saturation"), case(made))
    assert said.severity is WARNING
    assert said.evidence["threads"] == 100


def test_who_waits_for_a_lock_whose_holder_has_the_gil_waits_for_the_gil() -> None:
    made = trace().lock("L", "app.py:1 in <module>")
    for _ in range(40):
        made.thread("a").running(5, at="app.py:5 in parse").waits_lock(5, "L", by="b")
        made.thread("b").waits_lock(5, "L", by="a").running(5, at="app.py:5 in parse")
    (said,) = ask(rule("gil-saturation"), case(made))
    assert said.severity is WARNING
    assert said.evidence["behind_locks_ns"] == said.evidence["wait_ns"] == 400 * MS
    assert heads(case(made))[0] == "gil-saturation"
