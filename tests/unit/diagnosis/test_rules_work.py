"""Rules about workers, queues, pools, input and output, on traces whose answer is plain."""

from dataclasses import replace

from concurtrace.diagnosis.engine import ask
from concurtrace.model.recording import Loss, Recording
from concurtrace.model.report import Severity
from concurtrace.model.spans import SpanFlag
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Origin, StateTotal, Trace
from tests import builders
from tests.builders_trace import MS, TraceBuilder, trace
from tests.unit.diagnosis.cases import case, heads, light, rule, severity

OK, INFO, WARNING = Severity.OK, Severity.INFO, Severity.WARNING


def workers(*busy: float, ms: float = 1000) -> TraceBuilder:
    """Processes with some work each, that wait for the end of all."""
    made = trace().thread("main").waits(ms, Reason.JOIN)
    for number, one in enumerate(busy):
        made.process(f"worker-{number}", parent=0).thread("t").running(one, at="app.py:4 in work")
        if one < ms:
            made.waits(ms - one, Reason.EVENT)
    return made


def test_one_worker_with_most_of_the_work_is_an_imbalance() -> None:
    given = case(workers(1000, 300, 300, 300), cores=4)
    (said,) = ask(rule("load-imbalance"), given)
    assert said.severity is WARNING
    assert "worker-0" in said.summary
    assert said.gain_ns == 525 * MS
    assert severity("load-imbalance", case(workers(1000, 980, 990, 1000), cores=4)) is OK


def test_an_imbalance_heads_the_story_that_cores_idle_and_one_straggles() -> None:
    assert heads(case(workers(1000, 300, 300, 300), cores=4)) == ["load-imbalance"]
    assert heads(case(workers(1000, 980, 990, 1000), cores=4)) == []


def test_the_last_at_work_is_a_straggler() -> None:
    made = (
        trace()
        .process("main", started_by="main").thread("main").waits(1000, Reason.JOIN)
        .process("w-1", parent=0).thread("t").running(400).waits(600, Reason.EVENT)
        .process("w-2", parent=0).thread("t").waits(600, Reason.EVENT).running(400)
    )  # fmt: skip
    (said,) = ask(rule("straggler"), case(made))
    assert said.severity is WARNING
    assert said.evidence["tail_ns"] == 600 * MS
    assert severity("straggler", case(workers(1000, 950, 1000))) is OK


def fed(produce: float, consume: float) -> TraceBuilder:
    made = trace()
    for _ in range(10):
        made.thread("producer").runs_free(produce, at="app.py:3 in make")
        made.thread("consumer").waits(produce - consume, Reason.QUEUE_EMPTY, by="producer")
        made.runs_free(consume)
    return made


def test_workers_before_an_empty_queue_starve_while_its_producer_works() -> None:
    given = case(fed(100, 20))
    assert heads(given) == ["starved-workers"]
    (said,) = ask(rule("starved-workers"), given)
    assert "producer worked to fill it" in said.summary
    assert "app.py:3 in make" in said.where
    assert severity("starved-workers", case(fed(100, 90))) is OK


def test_a_pool_s_worker_without_work_does_not_starve() -> None:
    made = trace().thread("main").running(1000)
    made.thread("pool_0").waits(900, Reason.IDLE_WORKER, by="main").running(100)
    assert severity("starved-workers", case(made)) is OK
    assert heads(case(made)) == []


def test_a_producer_before_a_full_queue_waits_for_its_consumers() -> None:
    made = trace()
    for _ in range(10):
        made.thread("producer").runs_free(20).waits(80, Reason.QUEUE_FULL, by="consumer")
        made.thread("consumer").runs_free(100, at="app.py:8 in eat")
    given = case(made)
    assert heads(given) == ["queue-back-pressure"]
    assert "app.py:8 in eat" in ask(rule("queue-back-pressure"), given)[0].where
    assert severity("queue-back-pressure", case(fed(100, 20))) is OK


def pool(size: int, idle: float) -> TraceBuilder:
    made = trace().thread("main").waits(1000, Reason.FUTURE)
    for number in range(size):
        at = "app.py:2 in ask < /usr/lib/python3.11/concurrent/futures/thread.py:80 in _worker"
        made.thread(f"asker_{number}").io(990 - idle, at=at).running(10)
        if idle:
            made.waits(idle, Reason.IDLE_WORKER)
    return made


def test_a_pool_that_waits_and_always_has_work_is_too_small() -> None:
    given = case(pool(2, 0))
    assert heads(given) == ["small-pool"]
    assert severity("small-pool", case(pool(2, 400))) is OK


def test_threads_made_one_after_the_other_are_churn_and_a_crew_is_not() -> None:
    churn = trace().thread("main").waits(1000, Reason.JOIN)
    crew = trace().thread("main").waits(1000, Reason.JOIN)
    for number in range(100):
        churn.thread(f"Thread-{number}", start=number * 10).running(0.1)
        crew.thread(f"Thread-{number}").runs_free(10).sleeps(980)
    assert heads(case(churn)) == ["thread-churn"]
    assert severity("thread-churn", case(crew)) is OK


def test_waits_at_a_barrier_blame_who_came_last() -> None:
    made = trace()
    for _ in range(5):
        made.thread("slow").runs_free(100, at="app.py:6 in step")
        for name in ("fast", "quick"):
            made.thread(name).runs_free(20).waits(80, Reason.BARRIER, by="slow")
    given = case(made, cores=4)
    (said,) = ask(rule("barrier-wait"), given)
    assert (said.severity, said.evidence["last"]) == (WARNING, "slow")
    even = trace()
    for name in ("a", "b"):
        even.thread(name).runs_free(490).waits(10, Reason.BARRIER, by="a")
    assert severity("barrier-wait", case(even)) is OK


def asking(at_once: int) -> TraceBuilder:
    made = trace().thread("main")
    for _ in range(20):
        made.io(48, at="app.py:5 in fetch").running(2)
    for number in range(1, at_once):
        made.thread(f"asker-{number}")
        for _ in range(20):
            made.io(48, at="app.py:5 in fetch").running(2)
    return made


def test_waits_for_peers_one_by_one_could_overlap() -> None:
    given = case(asking(1))
    assert heads(given) == ["unoverlapped-io"]
    (said,) = ask(rule("unoverlapped-io"), given)
    assert said.where == ("app.py:5 in fetch",)
    assert said.gain_ns == (20 - 1) * 48 * MS
    assert severity("unoverlapped-io", case(asking(4))) is OK
    assert heads(case(asking(4))) == []


def calls(count: int, ms: float, state: State = State.IO_WAIT) -> Trace:
    built = trace().thread("main").running(1000 - ms).span(state, ms).build()
    (thread,) = built.threads
    totals = {**thread.totals, state: StateTotal(round(ms * MS), count)}
    return replace(built, threads=(replace(thread, totals=totals),))


def test_very_many_tiny_calls_are_chatty() -> None:
    assert severity("chatty-io", case(calls(20_000, 400))) is WARNING
    assert severity("chatty-io", case(calls(20, 400))) is OK


def test_very_many_sleeps_are_a_storm() -> None:
    assert severity("context-switch-storm", case(calls(40_000, 400, State.LOCK_WAIT))) is WARNING
    assert severity("context-switch-storm", case(calls(400, 400, State.LOCK_WAIT))) is OK


def test_rules_about_the_recording_inform_and_never_warn() -> None:
    made = trace().thread("main").running(100).unknown(100).build()
    bad = replace(made, losses=(Loss("process 7", "it was killed"),), origin=Origin.ESTIMATED)
    slow = light(overhead=1.5, competing_load=0.0)
    given = case(bad, slow, builders.one_pass("baseline", 100, 101, 102))
    names = ("lost-events", "high-overhead", "short-run", "unknown-time", "degraded-source")
    assert [severity(name, given) for name in names] == [INFO] * 5
    assert heads(given) == []


def test_a_good_recording_is_fine() -> None:
    made = trace().thread("main").running(1000, core=0).build()
    given = case(made, light(overhead=1.02), builders.one_pass("baseline", 100, 101, 102))
    names = ("lost-events", "high-overhead", "short-run", "unknown-time", "degraded-source")
    assert [severity(name, given) for name in names] == [OK] * 5


def test_a_function_that_takes_most_is_a_hotspot() -> None:
    table = builders.function_table({"parse": (5, 80, 80), "fetch": (5, 20, 20)})
    recording = builders.functions(table)
    assert severity("cpu-hotspot", case(None, recording=recording)) is INFO
    even = {f"f{number}": (5, 10.0, 10.0) for number in range(10)}
    recording = builders.functions(builders.function_table(even))
    assert severity("cpu-hotspot", case(None, recording=recording)) is OK
    waits = builders.function_table(
        {"<method 'acquire' of '_thread.lock' objects>": (5, 80, 80)}, file="~"
    )
    assert severity("cpu-hotspot", case(None, recording=builders.functions(waits))) is OK


def test_memory_that_grows_all_the_time_is_told() -> None:
    def grown(*rss: float) -> Recording:
        return builders.memory(builders.memory_series(rss))

    growing = [50 + 4 * step for step in range(50)]
    steady = [50 + 4 * min(step, 8) for step in range(50)]
    assert severity("memory-growth", case(None, recording=grown(*growing))) is WARNING
    assert severity("memory-growth", case(None, recording=grown(*steady))) is OK


def children(count: int, start: float, work: float) -> Trace:
    """Processes one after the other, each with a start before its first thread is there."""
    made = trace().thread("main").waits_child(count * (start + work))
    for number in range(count):
        made.process(f"child-{number}", parent=0)
        made.thread("t", start=number * (start + work) + start).running(work)
    built = made.build()
    later = tuple(
        replace(one, start_ns=one.start_ns - round(start * MS)) for one in built.processes[1:]
    )
    return replace(built, processes=(built.processes[0], *later))


def test_processes_that_hardly_do_more_than_start_cost_their_start() -> None:
    given = case(children(20, start=10, work=10))
    assert heads(given) == ["spawn-cost"]
    (said,) = ask(rule("spawn-cost"), given)
    assert said.evidence["start_ns"] == 10 * MS
    assert severity("spawn-cost", case(children(20, start=10, work=200))) is OK


def test_waiting_for_room_in_a_pipe_is_the_cost_of_messages() -> None:
    made = workers(500, 500, ms=500).build()
    assert severity("ipc-overhead", case(made)) is OK
    sends = workers(100, 100, ms=100)
    sends.process("sender", parent=0).thread("t")
    sends.running(50).io(50, Reason.IPC).io(400, Reason.IPC)
    built = sends.build()
    built.spans.flags[built.spans.in_state(State.IO_WAIT)] = SpanFlag.WRITE.value
    assert severity("ipc-overhead", case(built)) is WARNING
