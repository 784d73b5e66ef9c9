"""The processes: who started whom, what coming up took, and who waited at which pipe."""

from dataclasses import replace

from concurtrace.reports.html.sections import processes
from concurtrace.reports.html.sections.processes import View

from concurtrace.model.messages import Messages, Repeated
from concurtrace.model.recording import FunctionProfile, FunctionStats, FunctionTable, Recording
from concurtrace.model.report import Report
from concurtrace.model.runtime import Generation, QueueLengths
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import ObjectKind, Trace
from tests import builders
from tests.builders import one_pass, with_states
from tests.builders_trace import MS, trace

CONNECTION = "/usr/lib/python3.11/multiprocessing/connection.py"


def of(made: Trace, recording: Recording | None = None) -> Report:
    light = one_pass("light", 110, instruments=("states",))
    given = (recording or Recording()).merge(Recording(trace=made))
    return with_states(builders.report(light, recording=given))


def family() -> Trace:
    """A server started by the first process starts two workers."""
    made = (
        trace()
        .lock("tasks", kind=ObjectKind.PIPE)
        .process("MainProcess", started_by="main").thread("MainThread").running(100)
        .process("server", parent=0, started_by="forkserver").thread("MainThread", start=20)
        .running(80)
        .process("late", parent=1).thread("MainThread", start=60)
        .span(State.IO_WAIT, 40, Reason.IPC, on="tasks")
        .process("sh", parent=0, started_by="subprocess")
        .build()
    )  # fmt: skip
    main, server, late, shell = made.processes
    zero = made.start_ns
    server = replace(
        server, start_ns=zero + 10 * MS, python_ns=zero + 30 * MS, work_ns=zero + 50 * MS
    )
    late = replace(late, start_ns=zero + 55 * MS, python_ns=zero + 60 * MS, work_ns=zero + 60 * MS)
    shell = replace(shell, start_ns=zero + 70 * MS, end_ns=zero + 75 * MS)
    return replace(made, processes=(main, server, late, shell))


def view_of(report: Report) -> View:
    view = processes.build(report).view
    assert isinstance(view, View)
    return view


def test_processes_stand_below_those_that_started_them() -> None:
    rows = view_of(of(family())).rows
    assert [(one.label.partition(" ")[0], one.depth) for one in rows] == [
        ("MainProcess", 0),
        ("server", 1),
        ("late", 2),
        ("sh", 1),
    ]
    assert rows[1].parent.startswith("MainProcess")
    server, late, shell = rows[1:]
    assert (server.made, server.interpreter, server.imports) == ("10.0", "10.0", "20.0")
    assert (server.start, late.start, shell.start) == ("40.0", "5.0", "not known")
    assert shell.threads == "no Python"
    assert server.link == "#timeline?t0=10000000&t1=100000000&lane=1&at=20000000"


def test_the_waterfall_draws_every_phase_on_one_scale() -> None:
    drawn = view_of(of(family())).drawn
    pieces = [[(part.token, part.box) for part in row.parts] for row in drawn]
    assert pieces[1] == [
        ("starting", "M100 0H200V18H100Z"),
        ("interpreter", "M200 0H300V18H200Z"),
        ("imports", "M300 0H500V18H300Z"),
        ("running", "M500 0H1000V18H500Z"),
    ]
    # A fork comes with its parent's modules, and of a shell nothing more is known.
    assert [token for token, _ in pieces[2]] == ["starting", "running"]
    assert [token for token, _ in pieces[3]] == ["program"]


def test_the_answer_says_how_long_coming_up_took() -> None:
    answer = processes.build(of(family())).answer
    assert answer.startswith("3 processes were started (fork, forkserver, subprocess).")
    assert "within 22.5 ms, the slowest after 40.0 ms" in answer
    assert answer.endswith("Processes waited 40.0 ms for each other at queues, pipes and locks.")


def test_waits_at_pipes_lead_to_the_longest() -> None:
    (wait,) = view_of(of(family())).waits
    assert wait.process.startswith("late")
    assert (wait.what, wait.waits, wait.longest) == ("pipe tasks", "1", "40.0 ms")
    assert wait.link.endswith("&at=60000000")


def test_messages_are_those_that_the_pass_of_functions_counted() -> None:
    def row(file: str, name: str, calls: int, ms: int) -> FunctionStats:
        return FunctionStats(builders.function(name, 1, file), calls, calls, 0, ms * MS)

    stats = (
        row(CONNECTION, "Connection._send_bytes", 7, 3),
        row(CONNECTION, "Connection._recv_bytes", 2, 90),
        row(CONNECTION.replace("connection", "reduction"), "ForkingPickler.dumps", 7, 5),
        row("~", "<built-in method _pickle.loads>", 2, 1),
        row(CONNECTION, "Connection.poll", 50, 1),
    )
    quiet = FunctionTable(builders.process("Process-9", 9), 9, "MainThread", (), ())
    table = FunctionTable(builders.process(), 100, "MainThread", stats, ())
    counted = Recording(functions=FunctionProfile((table, quiet)))
    view = view_of(of(family(), counted))
    (one,) = view.messages
    assert (one.packed, one.sent) == (("7", "5.00 ms"), ("7", "3.00 ms"))
    assert (one.received, one.unpacked) == (("2", "90.0 ms"), ("2", "1.00 ms"))
    assert view.advice == ""
    assert view_of(of(family())).advice.endswith("functions")


def test_one_process_alone_is_told_in_a_sentence_and_a_row() -> None:
    section = processes.build(of(trace().thread("MainThread").running(5).build()))
    assert section.answer == "The target was one process: it started none."
    assert isinstance(section.view, View)
    assert (section.view.drawn, len(section.view.rows)) == ((), 1)
    assert section.view.advice == ""


def test_without_states_it_says_what_to_do() -> None:
    missing = processes.build(builders.report()).absence
    assert missing is not None
    assert missing.command.endswith("--with baseline,states")


def test_queues_that_grew_are_drawn_and_collections_counted() -> None:
    made = trace().thread("MainThread").running(100, at="/srv/shop/app.py:7 in main").build()
    zero = made.start_ns
    queue = QueueLengths(
        0,
        zero,
        1,
        100,
        (zero, zero + 50 * MS, zero + 100 * MS),
        (0, 40, 10),
        (0, 40, 60),
        (0, 0, 50),
    )
    process = replace(
        made.processes[0], collections=(Generation(3, 2 * MS), Generation(1, MS), Generation())
    )
    view = view_of(of(replace(made, queues=(queue,), processes=(process,))))
    (drawn,) = view.queues
    assert drawn.made_at == "main, app.py:7"
    assert drawn.words == "at most 40; 60 put, 50 taken"
    assert drawn.path == "M0 40L0 40L500 0L1000 30L1000 40Z"
    assert view.rows[0].collecting == "3.0 in 4 runs"


def test_large_messages_are_told_those_that_were_sent_again_with_their_line() -> None:
    made = trace().thread("MainThread").running(9, at="/srv/shop/app.py:7 in main").build()
    sent = Messages(8 << 20, (Repeated(0, 1 << 20, 7, 3, stack=int(made.spans.stack[0])),))
    pid = made.processes[0].pid
    assert view_of(of(replace(made, messages=sent))).large == (
        "Messages of 64 KiB and more held 8.00 MiB together.",
        f"MainProcess ({pid}) sent the same 1.00 MiB 3 times at main (app.py:7).",
    )
    assert view_of(of(made)).large == ()
