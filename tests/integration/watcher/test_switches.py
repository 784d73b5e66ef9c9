"""Who was on which core, in programs that dictate it."""

import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from concurtrace.instruments import _watcher
from concurtrace.instruments._watcher import watching
from concurtrace.model.spans import NO_CORE
from concurtrace.recording.switches import Switches, read_switches
from concurtrace.recording.watched import HeadFlag, Kind, read_head, read_table
from tests.integration.watcher.bench import MIB, Bench, Libraries

FORK_SEEN, EXITED, PROCESS = 1, 2, 8

FAMILY = """
import json, multiprocessing, os, subprocess, sys, threading, time

def burn(amount=0.1):
    while time.thread_time() < amount:
        pass

def note(into):
    into[threading.get_native_id()] = time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID)

def work(into):
    burn()
    note(into)

def process(pipe):
    told = {}
    thread = threading.Thread(target=work, args=(told,))
    thread.start()
    thread.join()
    pipe.send((os.getpid(), told))
    pipe.close()

if __name__ == "__main__":
    threads, told, pids = {}, [], {}
    many = [threading.Thread(target=work, args=(threads,)) for _ in range(3)]
    for one in many: one.start()
    for one in many: one.join()
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        mine, theirs = context.Pipe()
        child = context.Process(target=process, args=(theirs,))
        child.start()
        told.append(mine.recv())
        child.join()
        pids[method] = child.pid
    shell = subprocess.Popen(["sh", "-c", "true; exec true"])
    shell.wait()
    pids["shell"] = shell.pid
    reader, writer = os.pipe()
    if os.fork() == 0:
        # A daemon: its parent ends first.
        if os.fork() == 0:
            own = {}
            thread = threading.Thread(target=work, args=(own,))
            thread.start()
            thread.join()
            os.write(writer, json.dumps([os.getpid(), own]).encode())
        os._exit(0)
    os.wait()
    told.append(json.loads(os.read(reader, 4096)))
    pids["daemon"] = told[-1][0]
    print(json.dumps({"main": os.getpid(), "threads": threads, "children": told, "pids": pids}))
"""


@dataclass(frozen=True)
class Family:
    """What the program told, and what the watcher left."""

    told: Any
    switches: Switches
    out: Path


@pytest.fixture(scope="module")
def family(libraries: Libraries, tmp_path_factory: pytest.TempPathFactory) -> Family:
    bench = Bench(tmp_path_factory.mktemp("family"), libraries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_watcher.OVERRIDE, str(libraries.watcher))
        told = bench.run(FAMILY, switches="always", sample_hz=0)
    return Family(told, read_switches(bench.out), bench.out)


@pytest.mark.usefixtures("switches_permitted")
class TestSwitches:
    def test_every_thread_and_process_is_told(self, family: Family) -> None:
        told, switches = family.told, family.switches
        rows = {int(task["tid"]): task for task in switches.tasks}
        assert not switches.losses
        for tid in told["threads"]:
            assert int(rows[int(tid)]["creator_tid"]) == told["main"]
        for pid, threads in told["children"]:
            for tid in threads:
                assert int(rows[int(tid)]["pid"]) == pid
        for pid in told["pids"].values():
            assert rows[pid]["flags"] & (FORK_SEEN | EXITED | PROCESS) == 11
        assert rows[told["pids"]["shell"]]["comm"] == b"true"
        assert sorted(rows) == sorted(int(task["tid"]) for task in switches.tasks)

    def test_nobody_is_in_two_places_and_no_core_holds_two(self, family: Family) -> None:
        on = family.switches.on_core
        assert on is not None
        real = on.take(on.core != NO_CORE)
        for column in (real.tid, real.core):
            for one in np.unique(column).tolist():
                mine = real.take(column == one)
                mine = mine.take(np.argsort(mine.start_ns, kind="stable"))
                assert (mine.start_ns[1:] >= mine.end_ns[:-1]).all()
        # What the reader would have cut where they overlap:
        raw = read_table(family.out, Kind.SLICES).items
        stored = Counter[int]()
        for word in raw["w1"].tolist():
            stored[word >> 40] += word & ((1 << 40) - 1)
        assert stored == {
            int(task["tid"]): int(task["on_cpu_ns"])
            for task in family.switches.tasks
            if task["slices"]
        }

    def test_time_on_cores_is_the_time_the_thread_itself_knows(self, family: Family) -> None:
        told, switches = family.told, family.switches
        rows = {int(task["tid"]): int(task["on_cpu_ns"]) for task in switches.tasks}
        lives = {
            int(task["tid"]): int(task["end_ns"]) - int(task["start_ns"]) for task in switches.tasks
        }
        known = {**told["threads"]}
        for _, threads in told["children"]:
            known |= threads
        assert len(known) == 6
        for tid, cpu_ns in known.items():
            # The switch itself counts for the thread's clock alone. What a hypervisor takes of a
            # core does not, while the thread stays on it: there is no such limit above.
            assert rows[int(tid)] >= 0.9 * cpu_ns
            assert rows[int(tid)] <= lives[int(tid)]

    def test_a_killed_process_has_an_end(self, bench: Bench) -> None:
        code = """
            import os, signal, time
            child = os.fork()
            if child == 0:
                while True: pass
            os.kill(child, signal.SIGKILL)
            os.wait()
            print(child)
        """
        child = bench.run(code, switches="always", sample_hz=0)
        tasks = read_switches(bench.out).tasks
        (row,) = tasks[tasks["tid"] == child]
        assert row["flags"] & EXITED
        assert row["start_ns"] < row["end_ns"]

    def test_a_thread_that_was_there_before_is_watched_too(self, bench: Bench) -> None:
        bench.out.mkdir()
        code = """
            import sys, threading
            done = threading.Event()
            def rest():
                while not done.wait(0.001): pass
            thread = threading.Thread(target=rest)
            thread.start()
            print(thread.native_id, flush=True)
            sys.stdin.read()
            done.set()
            thread.join()
        """
        program = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdout is not None
        tid = int(program.stdout.readline())
        with watching(program.pid, bench.out, {"switches": "always", "sample_hz": 0}, MIB):
            deadline = time.monotonic() + 60
            while bench.count(Kind.SLICES) < 20 and time.monotonic() < deadline:
                time.sleep(0.01)
            program.communicate()
        assert int(read_head(bench.out)["flags"]) & HeadFlag.LATE_START
        tasks = read_switches(bench.out).tasks
        assert int(tasks[tasks["tid"] == tid]["slices"][0]) > 0

    def test_totals_stay_exact_when_room_runs_out(self, bench: Bench) -> None:
        code = """
            import socket, threading
            left, right = socket.socketpair()
            def echo():
                for _ in range(20000): right.send(right.recv(1))
            thread = threading.Thread(target=echo)
            thread.start()
            for _ in range(20000):
                left.send(b"x")
                left.recv(1)
            thread.join()
        """
        room = 512 * 1024
        bench.run(code, switches="always", sample_hz=0, max_bytes=room)
        switches = read_switches(bench.out)
        head = read_head(bench.out)
        assert int(head["min_slice_ns"]) > 0
        assert sum(path.stat().st_size for path in bench.out.glob("watch-*")) <= room
        on = switches.on_core
        assert on is not None
        for task in switches.tasks:
            mine = on.take((on.tid == task["tid"]) & (on.core != NO_CORE))
            kept = int((mine.end_ns - mine.start_ns).sum())
            assert kept + int(task["folded_ns"]) == int(task["on_cpu_ns"])
        folded = [int(task["folded_ns"]) for task in switches.tasks]
        assert all(folded)

    def test_a_calm_target_is_watched_and_the_gap_before_is_told(self, bench: Bench) -> None:
        code = """
            import sys, threading
            done = False
            def spin():
                while not done: pass
            threads = [threading.Thread(target=spin) for _ in range(2)]
            for one in threads: one.start()
            print("working", flush=True)
            sys.stdin.read()
            done = True
            for one in threads: one.join()
        """
        bench.run_until(code, lambda: bench.count(Kind.SLICES) > 50, sample_hz=0)
        switches = read_switches(bench.out)
        ((start, end),) = switches.gaps_ns.tolist()
        on = switches.on_core
        assert on is not None
        assert on.start_ns.min() == start
        assert (on.take(on.core != NO_CORE).end_ns > end).all()
        readings = switches.readings
        assert readings is not None
        assert (readings.time_ns <= end + 1_000_000_000).all()


def test_counters_are_read_where_switches_are_not_to_be_had(bench: Bench) -> None:
    code = """
        import sys, threading
        done = False
        def spin():
            while not done: pass
        thread = threading.Thread(target=spin)
        thread.start()
        print("working", flush=True)
        sys.stdin.read()
        done = True
        thread.join()
        print(thread.native_id)
    """
    # The main thread sleeps by then: all further readings are the spinner's.
    before: list[int] = []

    def enough() -> bool:
        before.append(bench.count(Kind.LOADS))
        return before[-1] - before[0] > 20

    tid = bench.run_until(code, enough, switches="never", sample_hz=0)
    switches = read_switches(bench.out)
    assert switches.on_core is None
    readings = switches.readings
    assert readings is not None
    mine = readings.take(readings.tid == tid)
    assert len(mine) > 3
    for column in (mine.time_ns, mine.on_core_ns, mine.ready_ns):
        assert (np.diff(column) >= 0).all()
    # Nobody runs for longer than time passes.
    assert (np.diff(mine.on_core_ns)[1:] <= np.diff(mine.time_ns)[1:] * 1.5 + 1e7).all()
