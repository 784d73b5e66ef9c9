"""Locks: owner, waker, creation site; conditions, queues, joins told apart."""

from __future__ import annotations

import pytest

from .conftest import Bench
from .recording import Process, Span, Thread


def longest(thread: Thread, state: str) -> Span:
    return max(thread.of(state), key=lambda span: span.dur_ns)


def functions(process: Process, span: Span) -> list[str]:
    return [frame.function for frame in process.stack(span.stack)]


CONTENDED = """
import threading, time

lock = threading.Lock()
held = threading.Event()
wanted = threading.Event()

def hold():
    with lock:
        held.set()
        wanted.wait()
        time.sleep(0.02)

def want():
    held.wait()
    wanted.set()
    with lock:
        pass

threads = [threading.Thread(target=f, name=f.__name__) for f in (hold, want)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_a_lock_wait_names_holder_lock_and_place(bench: Bench) -> None:
    root = bench.record(CONTENDED).root()
    hold, want = root.thread("hold"), root.thread("want")
    wait = longest(want, "LOCK_WAIT")
    assert wait.waker == hold.tid
    top = root.stack(wait.stack)[0]
    assert (top.function, top.line) == ("want", 17)
    lock = root.objects[wait.object]
    assert lock.contended == 1
    assert lock.acquisitions == 2
    assert lock.wait_ns == wait.dur_ns
    assert lock.hold_ns >= longest(hold, "SLEEP").dur_ns
    created = root.stack(lock.created_stack)[0]
    assert (created.function, created.line) == ("<module>", 4)
    assert created.file.endswith("program.py")


def test_uncontended_acquisitions_are_counted(bench: Bench) -> None:
    code = CONTENDED.replace(
        "threads = [", "for _ in range(1000):\n    with lock:\n        pass\nthreads = [", 1
    )
    root = bench.record(code).root()
    wait = longest(root.thread("want"), "LOCK_WAIT")
    assert root.objects[wait.object].acquisitions == 1002


@pytest.mark.parametrize(
    ("setup", "wait", "wake", "reason"),
    [
        ("import queue; q = queue.Queue()", "q.get()", "q.put(1)", "queue-empty"),
        (
            "import queue; q = queue.Queue(1); q.put(0)",
            "q.put(1)",
            "q.get()",
            "queue-full",
        ),
        ("e = threading.Event()", "e.wait()", "e.set()", "event"),
        ("b = threading.Barrier(2)", "b.wait()", "b.wait()", "barrier"),
        ("s = threading.Semaphore(0)", "s.acquire()", "s.release()", "semaphore"),
        (
            "from concurrent.futures import Future; f = Future()",
            "f.result()",
            "f.set_result(1)",
            "future",
        ),
        (
            "c = threading.Condition()",
            "c.acquire(); c.wait(); c.release()",
            "c.acquire(); c.notify(); c.release()",
            "condition",
        ),
    ],
)
def test_conditions_are_told_apart_and_know_who_told(
    bench: Bench, setup: str, wait: str, wake: str, reason: str
) -> None:
    root = bench.record(
        f"""
import sys, threading, time

{setup}

def waiter():
    {wait}

def teller():
    while "wait" not in stack_of(thread.ident) and "put" not in stack_of(thread.ident):
        time.sleep(0.001)
    time.sleep(0.01)
    {wake}

def stack_of(ident):
    frame, names = sys._current_frames().get(ident), []
    while frame:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names

thread = threading.Thread(target=waiter, name="waiter")
thread.start()
other = threading.Thread(target=teller, name="teller")
other.start()
thread.join()
other.join()
"""
    ).root()
    found = longest(root.thread("waiter"), "CONDITION_WAIT")
    assert found.reason == reason
    assert found.waker == root.thread("teller").tid
    assert "waiter" in functions(root, found)


def test_a_join_is_ended_by_the_thread_that_ends(bench: Bench) -> None:
    root = bench.record(
        """
        import threading, time
        thread = threading.Thread(target=time.sleep, args=(0.02,), name="joined")
        thread.start()
        thread.join()
        """
    ).root()
    main, joined = root.thread("MainThread"), root.thread("joined")
    waits = [s for s in main.of("CONDITION_WAIT") if s.reason == "join"]
    assert max(waits, key=lambda s: s.dur_ns).waker == joined.tid
    assert joined.creator_tid == main.tid


def test_a_lock_that_times_out_says_so_and_names_nobody(bench: Bench) -> None:
    root = bench.record(
        """
        import threading
        lock = threading.Lock()
        lock.acquire()
        thread = threading.Thread(target=lock.acquire, kwargs={"timeout": 0.01}, name="waiter")
        thread.start()
        thread.join()
        """
    ).root()
    wait = longest(root.thread("waiter"), "LOCK_WAIT")
    assert wait.waker == 0
    assert wait.flags & 16
    assert wait.flags & 32


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_lock_between_processes_names_the_other_process(bench: Bench, method: str) -> None:
    recording = bench.record(
        f"""
        import multiprocessing, threading, time

        def child(lock, held, done):
            with lock:
                held.send(1)
                done.recv()
                time.sleep(0.02)

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            lock = context.Lock()
            held, held_end = context.Pipe()
            done, done_end = context.Pipe()
            process = context.Process(target=child, args=(lock, held_end, done))
            process.start()
            held.recv()
            done_end.send(1)
            with lock:
                pass
            process.join()
            print(process.pid)
        """
    )
    root = recording.root()
    wait = longest(root.thread("MainThread"), "LOCK_WAIT")
    child = next(p for p in recording.processes if p.pid == wait.waker)
    assert child.ppid == root.pid
    assert root.objects[wait.object].kind == 4
    assert root.objects[wait.object].text.startswith("mp-")
    assert functions(root, wait)[-1] == "<module>"
