"""What the recorder had to give up, and what damage leads to, is told and adds up all the same."""

from pathlib import Path

from concurtrace.model.states import State
from concurtrace.recording import layout
from concurtrace.recording.read import read_trace

from . import writer
from .invariants import check
from .writer import ProcessFile

MS = 1_000_000


def test_what_the_recorder_gave_up_is_a_loss(tmp_path: Path) -> None:
    flags = layout.H_NO_STACKS | layout.H_BUDGET_USED
    made = ProcessFile(10, flags=flags, lost_threads=4, now_min_span_ns=64_000, min_span_ns=1000)
    made.thread(10).span(writer.RUNNING, MS).end().write(tmp_path)
    trace = read_trace(tmp_path)
    assert [loss.what for loss in trace.losses] == [
        "Python stacks of process 10",
        "single spans of process 10",
        "4 threads of process 10",
    ]
    assert trace.min_span_ns == (1000, 64_000)


def test_sums_are_exact_beyond_a_hundred_days(tmp_path: Path) -> None:
    # A span that was open when its process ended, as damage makes them.
    long_ns = (1 << 54) + 3
    made = ProcessFile(10, end_ns=writer.START_NS + long_ns + 1)
    made.thread(10, state=writer.SLEEP).span(writer.SLEEP, 1).write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert trace.threads[0].totals[State.SLEEP].ns == long_ns + 1


def test_threads_without_a_slot_are_a_sum_and_no_thread(tmp_path: Path) -> None:
    made = ProcessFile(10, lost_threads=3)
    made.thread(10).span(writer.RUNNING, MS).end()
    made.thread(0, flags=layout.T_USED | layout.T_REST)
    made.folded(writer.RUNNING, 5 * MS).folded(writer.GIL_WAIT, 7 * MS, told=False)
    made.write(tmp_path)
    trace = read_trace(tmp_path)
    check(trace)
    assert [one.tid for one in trace.threads] == [10]
    (loss,) = trace.losses
    assert loss.what == "3 threads of process 10"
    assert loss.reason == (
        "the file had no room for each;"
        " those that ended were, together: RUNNING 5.00 ms, GIL_WAIT 7.00 ms"
    )
