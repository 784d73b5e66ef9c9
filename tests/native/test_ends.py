"""How a thread ended: by returning, or in the middle because its program did."""

from __future__ import annotations

from .conftest import Bench

ENDED, STOPPED = 8, 32

PROGRAM = """
import threading, zlib

def compress():
    for _ in range({rounds}):
        zlib.compress(bytes(1 << 16), 9)
        begun.set()

begun = threading.Event()
worker = threading.Thread(target=compress, name="worker", daemon=True)
worker.start()
begun.wait()
"""


def test_a_thread_that_returned_was_not_stopped(bench: Bench) -> None:
    root = bench.record(PROGRAM.format(rounds=3) + "worker.join()").root()
    assert root.thread("worker").flags & (ENDED | STOPPED) == ENDED


def test_a_daemon_at_work_is_stopped_or_still_there_when_its_program_ends(bench: Bench) -> None:
    root = bench.record(PROGRAM.format(rounds=1_000_000)).root()
    assert root.thread("worker").flags & (ENDED | STOPPED) in (0, ENDED | STOPPED)


def test_a_thread_that_raises_returned_all_the_same(bench: Bench) -> None:
    code = PROGRAM.format(rounds=1).replace("begun.set()", "begun.set(); raise KeyError")
    root = bench.record(code + "worker.join()").root()
    assert root.thread("worker").flags & (ENDED | STOPPED) == ENDED
