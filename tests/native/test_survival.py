"""What is finished is on file, whatever ends the process; totals stay exact, whatever is folded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Bench
from .recording import problems, read

TALKER = """
import json, os, sys, time
for n in range(1, 100_000):
    time.sleep(0.0002)
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("round_", range(6))
def test_a_kill_loses_no_finished_span(bench: Bench, round_: int) -> None:
    child = subprocess.Popen(
        [sys.executable, str(bench.script(TALKER))], env=bench.env(), stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    for _ in range(20 + 61 * round_):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    told = [line for line in child.stdout.read().splitlines() if line]
    child.wait()
    last = int(told[-1]) if told else 20 + 61 * round_
    recording = read(bench.folder / "states")
    (process,) = recording.processes
    assert problems(process, killed=True) == []
    (main,) = process.threads
    # A line on the pipe was written after its sleep had ended.
    assert main.states["SLEEP"].count in (last, last + 1)
    assert len(main.of("SLEEP")) >= last


@pytest.mark.parametrize("end", ["os._exit(7)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_an_end_without_hooks_loses_nothing(bench: Bench, end: str) -> None:
    outcome = bench.run(
        f"""
        import os, threading, time
        done = threading.Event()

        def work():
            for _ in range(50):
                time.sleep(0.0001)
            done.set()
            time.sleep(60)

        threading.Thread(target=work, name="work", daemon=True).start()
        done.wait()
        {end}
        """
    )
    assert outcome.returncode in (7, -signal.SIGKILL, -signal.SIGABRT)
    work = outcome.recording.root().thread("work")
    assert len(work.of("SLEEP")) == 50


def test_a_terminated_pool_loses_nothing(bench: Bench) -> None:
    outcome = bench.run(
        """
        import json, multiprocessing, os, time

        def work(n):
            time.sleep(0.0005)
            return os.getpid()

        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(3) as pool:
                pids = pool.map(work, range(60), chunksize=1)
            print(json.dumps(pids))
        """
    )
    pids = json.loads(outcome.stdout)
    files = {process.pid: process for process in outcome.recording.processes}
    for pid in set(pids):
        (main,) = files[pid].threads
        assert len(main.of("SLEEP")) == pids.count(pid)


SWITCHES = """
import os, threading, time

def ping(r, w, n):
    for _ in range(n):
        os.read(r, 1)
        os.write(w, b"x")

N = 4000
a, b = os.pipe()
c, d = os.pipe()
os.write(b, b"x")
threads = [
    threading.Thread(target=ping, args=(a, d, N), name="ping"),
    threading.Thread(target=ping, args=(c, b, N), name="pong"),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for _ in range(5):
    time.sleep(0.003)
"""


def states_of(folder: Path, name: str) -> dict[str, int]:
    root = read(folder / "states").root()
    assert problems(root) == []
    return {state: total.count for state, total in root.thread(name).states.items()}


def test_folding_keeps_every_count_that_the_program_dictates(bench: Bench) -> None:
    recording = bench.record(SWITCHES, CONCURTRACE_MIN_SPAN_NS="1000000")
    root = recording.root()
    for name in ("ping", "pong"):
        thread = root.thread(name)
        assert thread.states["IO_WAIT"].count == 8000
        assert thread.states["IO_WAIT"].folded_count > 7000
        folds = [s for s in thread.spans if s.folded and s.state == "IO_WAIT"]
        assert sum(s.count for s in folds) == thread.states["IO_WAIT"].folded_count
        assert sum(s.dur_ns for s in folds) == thread.states["IO_WAIT"].folded_ns
        assert thread.span_records < 2000
    assert len(root.thread("MainThread").of("SLEEP")) == 5


def test_without_folding_every_span_is_stored(bench: Bench) -> None:
    recording = bench.record(SWITCHES)
    for name in ("ping", "pong"):
        thread = recording.root().thread(name)
        assert len(thread.of("IO_WAIT")) == thread.states["IO_WAIT"].count == 8000
        assert not any(span.folded for span in thread.spans)


def test_the_budget_bounds_the_file_and_not_the_totals(bench: Bench) -> None:
    recording = bench.record(SWITCHES, CONCURTRACE_MAX_BYTES=str(1 << 20))
    root = recording.root()
    assert root.path.stat().st_size <= 1 << 20
    assert root.now_min_span_ns > root.min_span_ns == 0
    for name in ("ping", "pong"):
        thread = root.thread(name)
        assert thread.states["IO_WAIT"].count == 8000
        assert thread.states["IO_WAIT"].folded_count > 0


def test_the_budget_is_one_for_all_processes(bench: Bench) -> None:
    folder = bench.folder / "states"
    bench.record(
        f"""
        import subprocess, sys
        program = {SWITCHES!r}
        children = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
        sys.exit(sum(child.wait() for child in children))
        """,
        CONCURTRACE_MAX_BYTES=str(2 << 20),
    )
    files = list(folder.glob("*-*.ctr"))
    assert len(files) == 4
    assert sum(file.stat().st_size for file in files) <= 2 << 20


def test_a_stored_span_takes_24_bytes_and_a_share_of_its_chunk(bench: Bench) -> None:
    root = bench.record(SWITCHES).root()
    spans = sum(thread.span_records for thread in root.threads)
    chunks = sum(-(-thread.span_records // 680) for thread in root.threads)
    assert spans > 32000
    # Names, slots and the header are a constant of the program: here, less than a megabyte.
    assert chunks * 16384 <= spans * 24.1 + len(root.threads) * 16384
    assert root.path.stat().st_size < chunks * 16384 + (1 << 20)


def test_a_full_file_limit_folds_instead_of_failing(bench: Bench) -> None:
    outcome = bench.run(
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n" + SWITCHES
    )
    assert outcome.returncode == 0, outcome.stderr
    thread = outcome.recording.root().thread("ping")
    assert thread.states["IO_WAIT"].count == 8000


def test_a_directory_that_cannot_be_written_leaves_the_program_alone(bench: Bench) -> None:
    outcome = bench.run(
        "print('fine')", CONCURTRACE_STATES_DIR=str(bench.folder / "missing" / "states")
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "fine\n", "")


def test_the_live_table_tells_what_a_hung_program_waits_for(bench: Bench) -> None:
    program = """
import os, threading

first, second = threading.Lock(), threading.Lock()
barrier = threading.Barrier(2, action=lambda: os.write(1, b"go"))

def take(one, other):
    with one:
        barrier.wait()
        with other:
            pass

threading.Thread(target=take, args=(first, second), name="left").start()
threading.Thread(target=take, args=(second, first), name="right").start()
"""
    child = subprocess.Popen(
        [sys.executable, str(bench.script(program))], env=bench.env(), stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.read(2) == b"go"
        while True:
            (process,) = read(bench.folder / "states").processes
            left, right = process.thread("left"), process.thread("right")
            if left.state == right.state == "LOCK_WAIT":
                break
            os.sched_yield()
        assert (left.wait_owner, right.wait_owner) == (right.tid, left.tid)
    finally:
        child.kill()
        child.communicate()


def test_threads_beyond_the_budget_are_counted_together(bench: Bench) -> None:
    recording = bench.record(
        """
        import threading
        for _ in range(40):
            threads = [threading.Thread(target=id, args=(0,)) for _ in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        """,
        CONCURTRACE_MAX_BYTES=str(1 << 20),
    )
    threads = recording.root().threads
    (rest,) = [thread for thread in threads if thread.flags & 16]
    assert rest.states["STARTING"].count > 0
    assert sum(thread.states["STARTING"].count for thread in threads) == 2000
    assert recording.root().path.stat().st_size <= 1 << 20
