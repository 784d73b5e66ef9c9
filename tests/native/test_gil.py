"""The GIL: who held it, who waited, for whom."""

from __future__ import annotations

from itertools import pairwise

from .conftest import Bench
from .recording import FORCED, Recording, Thread

TWO_BUSY = """
import threading

def burn():
    total = 0
    for n in range(1_500_000):
        total += n

threads = [threading.Thread(target=burn, name=f"burner-{n}") for n in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def burners(recording: Recording) -> tuple[Thread, Thread]:
    root = recording.root()
    return root.thread("burner-0"), root.thread("burner-1")


def test_states_of_a_thread_sum_to_its_life_and_agree_with_the_gil_sums(bench: Bench) -> None:
    for thread in burners(bench.record(TWO_BUSY)):
        states = {name: total.total_ns for name, total in thread.states.items()}
        assert sum(states.values()) == thread.end_ns - thread.start_ns
        assert states["RUNNING"] + states["GIL_BLOCKED"] == thread.gil.held_ns
        assert states["GIL_WAIT"] == thread.gil.wait_ns
        assert states["UNKNOWN"] == 0


def test_two_busy_threads_wait_for_each_other(bench: Bench) -> None:
    recording = bench.record(TWO_BUSY)
    first, second = burners(recording)
    for one, other in ((first, second), (second, first)):
        assert one.gil.waits > 0
        # The main thread takes part too, now and then; nobody else can.
        known = {thread.tid for thread in recording.root().threads}
        wakers = {span.waker for span in one.of("GIL_WAIT")}
        assert one.pairs[other.tid][1] > 0
        assert other.tid in wakers <= known
        assert set(one.pairs) <= known | {0}
        assert one.gil.longest_wait_ns == max(span.dur_ns for span in one.of("GIL_WAIT"))


def test_no_two_threads_hold_the_gil_at_once(bench: Bench) -> None:
    root = bench.record(TWO_BUSY).root()
    holds = sorted(
        (span.start_ns, span.end_ns)
        for thread in root.threads
        for state in ("RUNNING", "GIL_BLOCKED")
        for span in thread.of(state)
    )
    for (_, end_ns), (start_ns, _) in pairwise(holds):
        assert start_ns >= end_ns


def test_a_forced_release_is_told_with_the_line_that_held_the_gil(bench: Bench) -> None:
    recording = bench.record(TWO_BUSY)
    for thread in burners(recording):
        forced = [span for span in thread.of("GIL_WAIT") if span.flags & FORCED]
        assert len(forced) == thread.gil.forced > 0
        # The last release of a thread can be forced too: it has no frames any more.
        tops = {recording.root().stack(span.stack)[0] for span in forced if span.stack}
        assert tops
        assert {(frame.function, frame.line) for frame in tops} <= {("burn", n) for n in (5, 6, 7)}


def test_a_sleeper_does_not_wait_for_the_gil_and_a_holder_blocks_it(bench: Bench) -> None:
    recording = bench.record(
        """
        import ctypes, os

        libc = ctypes.PyDLL(None)      # keeps the GIL
        usleep = ctypes.CDLL(None).usleep
        for _ in range(5):
            libc.usleep(1000)
        for _ in range(7):
            usleep(1000)               # lets it go
        """
    )
    main = recording.root().thread("MainThread")
    assert len([s for s in main.of("GIL_BLOCKED") if s.reason == "sleep"]) == 5
    assert main.states["SLEEP"].count == 7


def test_a_call_behind_a_release_that_was_waited_for_is_told(bench: Bench) -> None:
    code = """
import threading, time

def spin():
    while threads[1].is_alive():
        sum(range(1000))

def doze():
    for _ in range(12):
        data = b"abc" * 20_000_000   # keeps the GIL for longer than others are patient
        time.sleep(0.01)

threads = [threading.Thread(target=spin), threading.Thread(target=doze, name="doze")]
for thread in reversed(threads):
    thread.start()
for thread in threads:
    thread.join()
"""
    doze = bench.record(code).root().thread("doze")
    assert doze.states["SLEEP"].count == 12
    assert doze.states["GIL_WAIT"].total_ns == doze.gil.wait_ns


def test_native_work_without_the_gil_is_no_wait(bench: Bench) -> None:
    recording = bench.record(
        """
        import hashlib, threading

        data = b"x" * 4_000_000

        def digest():
            for _ in range(10):
                hashlib.sha256(data).digest()

        threads = [threading.Thread(target=digest, name=f"digest-{n}") for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """
    )
    root = recording.root()
    for name in ("digest-0", "digest-1"):
        thread = root.thread(name)
        assert thread.gil.holds >= 10
        assert thread.states["RUNNING_NOGIL"].count >= 10
        # Who starts a thread may have the lock by which it tells that it has started.
        waits = [one for state in ("LOCK_WAIT", "IO_WAIT", "SLEEP") for one in thread.of(state)]
        assert not any("digest" in {f.function for f in root.stack(one.stack)} for one in waits)


def test_a_sub_interpreter_with_a_gil_of_its_own_harms_nothing(bench: Bench) -> None:
    recording = bench.record(
        """
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        import threading

        def run():
            number = interpreters.create()
            interpreters.run_string(number, "x = sum(range(200_000))")
            interpreters.destroy(number)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("done")
        """
    )
    assert recording.root().thread("MainThread").gil.holds > 0
