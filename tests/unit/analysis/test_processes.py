"""What processes cost: their phases, messages and imports, and their waits for each other."""

from dataclasses import replace

from concurtrace.analysis.processes import processes_report
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import ObjectKind, Trace
from tests.builders_trace import MS, trace

LIB = "/usr/lib/python3.11"
PUT = f"{LIB}/multiprocessing/queues.py:90 in Queue.put < app.py:9 in work"
GET = f"{LIB}/multiprocessing/queues.py:102 in Queue.get < app.py:9 in work"
LOAD = "<frozen importlib._bootstrap>:1176 in _find_and_load < app.py:1 in <module>"


def pool() -> Trace:
    made = (
        trace()
        .lock("pipe", kind=ObjectKind.PIPE)
        .process("MainProcess", started_by="main").thread("MainThread").running(50)
        .span(State.IO_WAIT, 30, Reason.IPC, on="pipe", at=GET)
        .span(State.IO_WAIT, 20, Reason.IPC, on="pipe", at=GET)
        .process("Process-1", parent=0, started_by="spawn")
        .thread("MainThread", start=20).running(40).waits_child(5)
        .build()
    )  # fmt: skip
    start = made.start_ns
    child = replace(
        made.processes[1],
        start_ns=start + 10 * MS,
        python_ns=start + 25 * MS,
        work_ns=start + 45 * MS,
    )
    return replace(made, processes=(made.processes[0], child))


def test_a_life_is_cut_where_the_process_came_up() -> None:
    first, child = processes_report(pool()).costs
    phases = child.phases
    assert (first.parent, child.parent) == (None, 0)
    assert (phases.asked_ns, phases.first_ns) == (10 * MS, 20 * MS)
    assert (phases.python_ns, phases.work_ns, phases.end_ns) == (25 * MS, 45 * MS, 65 * MS)
    assert phases.start_ns == 35 * MS
    assert first.phases.work_ns is None
    assert first.phases.start_ns is None


def test_waits_at_what_processes_share_are_added_up() -> None:
    report = processes_report(pool())
    told = [(one.row, one.kind, one.state, one.waits, one.ns) for one in report.exchanges]
    assert told == [
        (0, ObjectKind.PIPE, State.IO_WAIT, 2, 50 * MS),
        (1, ObjectKind.OTHER, State.CHILD_WAIT, 1, 5 * MS),
    ]
    assert report.exchanges[0].where == "app.py:9 in work"
    spans = pool().spans
    assert spans.dur_ns[report.exchanges[0].longest] == 30 * MS


def test_one_process_alone_waits_for_none() -> None:
    made = trace().thread("one").span(State.IO_WAIT, 5, Reason.IPC, on="pipe").build()
    assert processes_report(made).exchanges == ()


def test_samples_tell_sending_from_receiving_and_imports() -> None:
    made = trace().process("main", started_by="main").thread("one").running(1000)
    for number in range(10):
        made.sample(number, PUT).sample(100 + number, GET, stands_for=20)
        made.sample(200 + number, LOAD, stands_for=3)
        # A thread that waits is on no core.
        made.sample(300 + number, PUT, State.IO_WAIT)
    (cost,) = processes_report(made.build()).costs
    messages = cost.messages
    assert messages is not None
    sums = (messages.sending_ns, messages.receiving_ns, messages.importing_ns)
    assert sums == (100 * MS, 200 * MS, 30 * MS)


def test_samples_share_the_cpu_time_that_the_kernel_tells() -> None:
    made = trace().process("main", started_by="main").thread("one").running(1000)
    for number in range(15):
        made.sample(number, PUT).sample(100 + number, "app.py:9 in work")
    built = made.build()
    threads = (replace(built.threads[0], cpu_ns=80 * MS),)
    (cost,) = processes_report(replace(built, threads=threads)).costs
    assert cost.messages is not None
    assert cost.messages.sending_ns == 40 * MS


def test_without_samples_nothing_is_said_of_messages() -> None:
    assert all(one.messages is None for one in processes_report(pool()).costs)
