"""Wait states of real programs, held against what each program dictates: who, what, in which order.

One program does everything once and writes down who it was; the tests look for it in the trace.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from concurtrace.analysis.gil import gil_totals
from concurtrace.analysis.locks import lock_table
from concurtrace.analysis.processes import processes_report
from concurtrace.analysis.states import unknown_share
from concurtrace.instruments import _recorder
from concurtrace.model.spans import Spans
from concurtrace.model.states import STATES, Reason, State
from concurtrace.model.trace import EndedBy, ObjectKind, Process, Thread, Trace
from tests.recorder import record_script
from tests.unit.recording.invariants import check

NATIVE = Path(_recorder.__file__).parents[1] / "native"
FLAGS = ["-O2", "-std=gnu11", "-fPIC", "-shared", "-fno-optimize-sibling-calls"]
FLAGS += ["-fvisibility=hidden", "-ftls-model=initial-exec"]

PROGRAM = """
import json, multiprocessing, os, queue, signal, subprocess, sys, threading, time, warnings
from concurrent.futures import ThreadPoolExecutor

# A thread that was joined may still be ending when the program forks.
warnings.simplefilter("ignore", DeprecationWarning)
who = {}

def note(name):
    who[name] = threading.get_native_id()

def spin():
    total = 0
    for number in range(3_000_000):
        total += number

def take_turns():
    threads = [threading.Thread(target=spin, name=f"spinner-{n}") for n in range(2)]
    for one in threads: one.start()
    for one in threads: one.join()

def fight_for_a_lock():
    lock = threading.Lock()  # the lock
    held, comes = threading.Event(), threading.Event()
    def hold():
        note("holder")
        with lock:
            held.set()
            comes.wait()
            time.sleep(0.2)
    def wait():
        note("waiter")
        held.wait()
        comes.set()
        with lock:  # waits here
            pass
    threads = [threading.Thread(target=f, name=f.__name__) for f in (hold, wait)]
    for one in threads: one.start()
    for one in threads: one.join()

def feed_a_queue():
    items = queue.Queue()
    def consume():
        note("consumer")
        while items.get() is not None:
            pass
    consumer = threading.Thread(target=consume, name="consumer")
    consumer.start()
    for number in range(3):
        time.sleep(0.1)
        items.put(number)
    items.put(None)
    consumer.join()

def pool_without_work():
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        pool.submit(note, "pool").result()
        time.sleep(0.2)

def talk_through_a_pipe():
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        time.sleep(0.2)
        os.write(writing, b"x")
        os._exit(3)
    os.read(reading, 1)
    os.waitpid(pid, 0)
    who["writer"] = pid

def run_programs():
    done = subprocess.Popen(["sh", "-c", "exit 7"])
    done.wait()
    who["sh"] = done.pid
    done = subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(5)"])
    done.wait()
    who["python"] = done.pid

def child_spins():
    spin()

def child_hangs(sleeps):
    sleeps.set()
    time.sleep(60)

def start_processes():
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        child = context.Process(target=child_spins, name=f"{method}ed")
        child.start()
        child.join()
        who[method] = child.pid
    context = multiprocessing.get_context("fork")
    sleeps = context.Event()
    child = context.Process(target=child_hangs, args=(sleeps,), name="killed")
    child.start()
    sleeps.wait()
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    who["killed"] = child.pid

if __name__ == "__main__":
    note("main")
    for part in (take_turns, fight_for_a_lock, feed_a_queue, pool_without_work,
                 talk_through_a_pipe, run_programs, start_processes):
        part()
    with open("who.json", "w") as file:
        json.dump(who, file)
"""
LINES = PROGRAM.splitlines()


def line_of(mark: str) -> int:
    """Number of the program's line that ends with a mark."""
    return next(number for number, line in enumerate(LINES, start=1) if line.endswith(mark))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed recorder, or one built for these tests."""
    found = _recorder.library()
    if found is not None:
        return found
    if shutil.which("cc") is None:
        pytest.skip("there is neither a built recorder nor a C compiler")
    built = tmp_path_factory.mktemp("native") / "recorder.so"
    sources = sorted(str(path) for path in NATIVE.glob("*.c"))
    subprocess.run(["cc", *FLAGS, *sources, "-o", str(built), "-ldl", "-lpthread"], check=True)
    return built


class Told:
    """The trace of the program, and who was who in it."""

    def __init__(self, trace: Trace, who: dict[str, int]) -> None:
        self.trace = trace
        self.who = who

    def thread(self, name: str) -> Thread:
        return next(one for one in self.trace.threads if one.name == name)

    def process(self, name: str) -> Process:
        return next(one for one in self.trace.processes if one.pid == self.who[name])

    def waits(self, thread: Thread, state: State, reason: Reason = Reason.NONE) -> Spans:
        spans = self.trace.spans_of(thread)
        mine = spans.in_state(state)
        if reason is not Reason.NONE:
            mine &= spans.reason == reason.code
        return spans.take(mine)

    def longest(self, thread: Thread, state: State, reason: Reason = Reason.NONE) -> Spans:
        spans = self.waits(thread, state, reason)
        assert len(spans), f"{thread.name} was never in {state.name}/{reason.word}"
        place = int(spans.dur_ns.argmax())
        return spans.take(slice(place, place + 1))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Told:
    folder = tmp_path_factory.mktemp("states")
    before = os.environ.get(_recorder.OVERRIDE)
    os.environ[_recorder.OVERRIDE] = str(library)
    try:
        recording = record_script(folder, PROGRAM, instrument="states")
    finally:
        if before is None:
            del os.environ[_recorder.OVERRIDE]
        else:
            os.environ[_recorder.OVERRIDE] = before
    assert recording.trace is not None
    who: dict[str, Any] = json.loads((folder / "who.json").read_text())
    return Told(recording.trace, who)


def test_states_sum_to_lifetimes_and_nothing_is_lost(told: Told) -> None:
    check(told.trace)
    # Whether a running thread stood still while its stack was read is chance.
    assert [one for one in told.trace.losses if "samples" not in one.what] == []
    # Benchmarks hold it under two per cent; here the machine may be busy with anything.
    assert unknown_share(told.trace) < 0.1


def test_threads_that_compute_wait_for_each_other(told: Told) -> None:
    spinners = [told.thread(f"spinner-{number}") for number in range(2)]
    for one, other in (spinners, spinners[::-1]):
        assert one.ns(State.RUNNING) > 0
        assert other.tid in {pair.tid for pair in one.gil.waited_for}
        assert one.gil.wait_ns == sum(pair.ns for pair in one.gil.waited_for)
    totals = gil_totals(told.trace)
    assert totals is not None
    assert 0 < totals.contention < 1
    assert 0 < totals.held <= 1


def test_the_gil_is_held_by_one_thread_at_a_time(told: Told) -> None:
    main = told.process("main")
    threads = told.trace.threads_of(main)
    assert sum(thread.gil.held_ns for thread in threads) <= main.end_ns - main.start_ns


def test_a_lock_wait_names_lock_and_holder(told: Told) -> None:
    wait = told.longest(told.thread("wait"), State.LOCK_WAIT)
    assert wait.waker[0] == told.who["holder"]
    sleep = told.longest(told.thread("hold"), State.SLEEP)
    assert sleep.end_ns[0] <= wait.end_ns[0]
    innermost = told.trace.stacks.frames(int(wait.stack[0]))[0]
    assert (innermost.function.name, innermost.line) == (
        "fight_for_a_lock.<locals>.wait",
        line_of("# waits here"),
    )
    lock = told.trace.objects[int(wait.object[0])]
    assert lock.kind is ObjectKind.LOCK
    assert (lock.acquisitions, lock.contended) == (2, 1)


def test_the_lock_table_says_who_had_it(told: Told) -> None:
    lock = lock_table(told.trace)[0]
    assert lock.created_at is not None
    assert lock.created_at.endswith(f"program.py:{line_of('# the lock')}")
    assert lock.waited_at[0].where.endswith("in fight_for_a_lock.<locals>.wait")
    assert lock.held_by[0].where.endswith("in fight_for_a_lock.<locals>.hold")


def test_a_consumer_waits_for_the_queue_until_something_is_put(told: Told) -> None:
    waits = told.waits(told.thread("consumer"), State.CONDITION_WAIT, Reason.QUEUE_EMPTY)
    assert set(waits.waker.tolist()) == {told.who["main"]}
    # Four things are put, and each ends one wait at most.
    assert 1 <= len(waits) <= 4
    sleeps = told.waits(told.trace.threads[0], State.SLEEP)
    longest = told.longest(told.thread("consumer"), State.CONDITION_WAIT, Reason.QUEUE_EMPTY)
    # Whoever put the item slept meanwhile, and woke before it did.
    inside = (sleeps.end_ns > longest.start_ns[0]) & (sleeps.end_ns < longest.end_ns[0])
    assert inside.any()


def test_a_pool_without_work_is_idle(told: Told) -> None:
    worker = told.thread("pool_0")
    idle = told.longest(worker, State.CONDITION_WAIT, Reason.IDLE_WORKER)
    assert idle.dur_ns[0] > worker.ns(State.LOCK_WAIT)


def test_joining_is_told_apart_with_whom(told: Told) -> None:
    joins = told.waits(told.trace.threads[0], State.CONDITION_WAIT, Reason.JOIN)
    names = {told.trace.threads[row].name for row in told.trace.rows_of(joins.waker, joins.end_ns)}
    assert "hold" in names


def test_a_pipe_is_told_with_the_writer_in_another_process(told: Told) -> None:
    main = told.trace.threads[0]
    read = told.longest(main, State.IO_WAIT, Reason.IPC)
    assert told.trace.objects[int(read.object[0])].kind is ObjectKind.PIPE
    assert read.waker[0] == told.who["writer"]
    writer = told.process("writer")
    assert (writer.started_by, writer.exit_code) == ("fork", 3)


def test_waiting_for_a_child_names_the_child(told: Told) -> None:
    waits = told.waits(told.trace.threads[0], State.CHILD_WAIT)
    # The shell may have ended before anybody waits for it.
    expected = {told.who[name] for name in ("python", "fork", "spawn")}
    assert expected <= set(waits.waker.tolist())


def test_every_child_is_there_with_its_parent_name_and_end(told: Told) -> None:
    root = told.trace.processes[0]
    assert (root.pid, root.started_by) == (told.who["main"], "main")
    expected = {
        "sh": ("sh", "subprocess", 7),
        "python": ("python -c", "subprocess", 5),
        "fork": ("forked", "fork", 0),
        "spawn": ("spawned", "spawn", 0),
    }
    for name, (called, started_by, code) in expected.items():
        one = told.process(name)
        assert one.parent == 0
        assert (one.started_by, one.ended_by, one.exit_code) == (started_by, EndedBy.EXIT, code)
        assert one.name.startswith(called) or name == "python"
    shell = told.process("sh")
    assert shell.command == ("sh", "-c", "exit 7")
    assert not told.trace.threads_of(shell)


def test_children_are_asked_for_come_up_and_then_work(told: Told) -> None:
    report = processes_report(told.trace)
    costs = {told.trace.processes[one.row].pid: one for one in report.costs}
    for name in ("main", "fork", "spawn", "python"):
        phases = costs[told.who[name]].phases
        assert None not in (phases.first_ns, phases.python_ns, phases.work_ns), name
        times = (phases.first_ns, phases.python_ns, phases.work_ns)
        ordered = [phases.asked_ns, *(ns for ns in times if ns is not None), phases.end_ns]
        assert ordered == sorted(ordered), name
    spawned = costs[told.who["spawn"]].phases
    # It imports the program before it calls what it was made for.
    assert spawned.python_ns is not None
    assert spawned.work_ns is not None
    assert spawned.python_ns < spawned.work_ns
    main = [
        one for one in report.exchanges if told.trace.processes[one.row].pid == told.who["main"]
    ]
    assert {ObjectKind.PIPE, ObjectKind.OTHER} <= {one.kind for one in main}


def test_a_killed_process_keeps_what_it_did(told: Told) -> None:
    killed = told.process("killed")
    assert (killed.ended_by, killed.signal) == (EndedBy.SIGNAL, 9)
    (thread,) = told.trace.threads_of(killed)
    assert told.longest(thread, State.SLEEP).end_ns[0] <= killed.end_ns


def test_times_of_all_states_are_of_states_that_exist(told: Told) -> None:
    assert set(told.trace.spans.state.tolist()) <= {state.code for state in STATES}
