"""Without the recorder states are estimated, said to be, and of the kind that the program makes."""

from pathlib import Path

import pytest

from concurtrace.analysis.states import states_report
from concurtrace.instruments import _recorder
from concurtrace.model.run import Pass, PassStatus
from concurtrace.model.states import State
from concurtrace.model.trace import Origin, Thread, Trace
from tests.recorder import record_script
from tests.unit.recording.invariants import check

PROGRAM = """
import os, threading, time

# With a thread of ours in it Python 3.12 would warn of the fork.
if os.fork() == 0:
    os._exit(0)
os.wait()
lock = threading.Lock()

def sleep():
    time.sleep(0.4)

def hold():
    with lock:
        time.sleep(0.4)

def wait():
    with lock:
        pass

def read(descriptor):
    os.read(descriptor, 1)

reading, writing = os.pipe()
threads = [threading.Thread(target=one, name=one.__name__) for one in (sleep, hold)]
threads += [threading.Thread(target=read, args=(reading,), name="read")]
for one in threads: one.start()
late = threading.Thread(target=wait, name="wait")
late.start()
threads[0].join()
os.write(writing, b"x")
for one in (*threads, late): one.join()
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_recorder.OVERRIDE, "/nowhere/recorder.so")
        folder: Path = tmp_path_factory.mktemp("estimate")
        recording = record_script(folder, PROGRAM, instrument="states")
    assert recording.trace is not None
    return recording.trace


def _thread(trace: Trace, name: str) -> Thread:
    return next(one for one in trace.threads if one.name == name)


def test_it_says_that_it_is_an_estimate_and_why(trace: Trace) -> None:
    assert trace.origin is Origin.ESTIMATED
    (note,) = trace.notes
    assert "/nowhere/recorder.so" in note
    told = states_report(trace, Pass("light", ("states",), PassStatus.OK))
    assert told.origin is Origin.ESTIMATED


def test_states_tile_the_lifetimes(trace: Trace) -> None:
    check(trace)


@pytest.mark.parametrize(
    ("name", "state"),
    [("sleep", State.SLEEP), ("wait", State.LOCK_WAIT), ("read", State.IO_WAIT)],
)
def test_a_thread_that_does_one_thing_is_mostly_seen_at_it(
    trace: Trace, name: str, state: State
) -> None:
    totals = {one: total.ns for one, total in _thread(trace, name).totals.items()}
    # How long the machine let a thread wait for a core is the machine's affair.
    own = {one: ns for one, ns in totals.items() if one not in (State.RUNNABLE, State.UNKNOWN)}
    assert max(own, key=own.__getitem__) is state


def test_the_looker_inside_the_target_is_not_shown(trace: Trace) -> None:
    names = {one.name for one in trace.threads}
    assert names == {"MainThread", "sleep", "hold", "wait", "read"}


def test_waits_are_where_the_program_waits(trace: Trace) -> None:
    spans = trace.spans_of(_thread(trace, "wait"))
    stacks = set(spans.stack[spans.in_state(State.LOCK_WAIT)].tolist()) - {0}
    frames = {trace.stacks.frames(stack)[0].function.name for stack in stacks}
    assert frames == {"wait"}
