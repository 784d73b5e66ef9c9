"""Who was on which core, in programs that dictate it; and what harms nobody."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from concurtrace.instruments import _watcher
from concurtrace.instruments._watcher import watching
from concurtrace.model.trace import NO_CORE
from concurtrace.recording.samples import read_samples
from concurtrace.recording.switches import Switches, read_switches
from concurtrace.recording.tables import StackTable
from concurtrace.recording.watched import HeadFlag, Kind, read_head, read_table
from tests.integration.watcher.bench import MIB, NATIVE, Bench

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


@pytest.fixture
def family(bench: Bench, switches_permitted: None) -> tuple[Any, Switches]:
    told = bench.run(FAMILY, switches="always", sample_hz=0)
    return told, read_switches(bench.out)


@pytest.mark.usefixtures("switches_permitted")
class TestSwitches:
    def test_every_thread_and_process_is_told(self, family: tuple[Any, Switches]) -> None:
        told, switches = family
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

    def test_nobody_is_in_two_places_and_no_core_holds_two(
        self, family: tuple[Any, Switches], bench: Bench
    ) -> None:
        _, switches = family
        on = switches.on_core
        assert on is not None
        real = on.take(on.core != NO_CORE)
        for column in (real.tid, real.core):
            for one in np.unique(column).tolist():
                mine = real.take(column == one)
                mine = mine.take(np.argsort(mine.start_ns, kind="stable"))
                assert (mine.start_ns[1:] >= mine.end_ns[:-1]).all()
        # What the reader would have cut where they overlap:
        raw = read_table(bench.out, Kind.SLICES).items
        stored = Counter[int]()
        for word in raw["w1"].tolist():
            stored[word >> 40] += word & ((1 << 40) - 1)
        assert stored == {
            int(task["tid"]): int(task["on_cpu_ns"]) for task in switches.tasks if task["slices"]
        }

    def test_time_on_cores_is_the_time_the_thread_itself_knows(
        self, family: tuple[Any, Switches]
    ) -> None:
        told, switches = family
        rows = {int(task["tid"]): int(task["on_cpu_ns"]) for task in switches.tasks}
        known = {**told["threads"]}
        for _, threads in told["children"]:
            known |= threads
        assert len(known) == 6
        for tid, cpu_ns in known.items():
            # The switch itself counts for the thread's clock, and the end of the thread does not.
            assert rows[int(tid)] == pytest.approx(cpu_ns, rel=0.08)

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
        sys.stdin.read()
        done = True
        thread.join()
        print(thread.native_id)
    """
    tid = bench.run_until(code, lambda: bench.count(Kind.LOADS) > 20, switches="never", sample_hz=0)
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


FORBIDDING = """
import ctypes, struct, sys, subprocess, pathlib
from concurtrace.instruments._watcher import watching

def forbid(*numbers):
    # Load the number of the system call; for each that is forbidden EPERM, else allow.
    steps = [(0x20, 0, 0, 0)]
    for number in numbers:
        steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050001)]
    steps.append((0x06, 0, 0, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in steps))
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)
    program = Program(len(steps), ctypes.addressof(code))
    assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0

child = subprocess.Popen(
    [sys.executable, "-c", "import sys; sys.stdin.readline(); print(sum(range(30_000_000)))"],
    stdin=subprocess.PIPE,
)
forbid(298, 310)
with watching(child.pid, pathlib.Path(sys.argv[1]), {"switches": "always"}, 1 << 20):
    child.communicate(b"go")
sys.exit(child.returncode)
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls")
def test_what_is_not_permitted_is_told_and_harms_nobody(bench: Bench) -> None:
    bench.out.mkdir()
    environment = {
        **os.environ,
        "LD_PRELOAD": str(bench.libraries.recorder),
        "CONCURTRACE_STATES_DIR": str(bench.out),
    }
    done = subprocess.run(
        [sys.executable, "-c", FORBIDDING, str(bench.out)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    switches, samples = read_switches(bench.out), read_samples(bench.out, StackTable())
    assert switches.on_core is None
    assert switches.readings is not None
    assert [one.what for one in switches.losses] == ["the kernel's records of context switches"]
    assert [one.what for one in samples.losses] == ["Python stacks of running threads"]
    assert "not permitted" in samples.losses[0].reason


def test_tables_of_a_killed_launcher_can_be_read(bench: Bench) -> None:
    bench.out.mkdir()
    code = """
        import pathlib, subprocess, sys
        from concurtrace.instruments._watcher import watching
        forever = "import time\\nwhile True: time.sleep(.001)"
        child = subprocess.Popen([sys.executable, "-c", forever], stdout=subprocess.DEVNULL)
        with watching(child.pid, pathlib.Path(sys.argv[1]), {"switches": "never"}, 1 << 20):
            print(child.pid, flush=True)
            child.wait()
    """
    launcher = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(bench.out)], stdout=subprocess.PIPE
    )
    assert launcher.stdout is not None
    child = int(launcher.stdout.readline())
    deadline = time.monotonic() + 60
    while bench.count(Kind.LOADS) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    launcher.kill()
    os.kill(child, signal.SIGKILL)
    launcher.communicate()
    switches = read_switches(bench.out)
    assert switches.readings is not None
    assert len(switches.readings) >= 5
    assert [one.reason for one in switches.losses] == ["the launcher was killed"]


def test_many_short_processes_harm_nothing(bench: Bench) -> None:
    code = """
        import json, os
        pids = []
        for number in range(200):
            child = os.fork()
            if child == 0:
                sum(range(number * 100))
                os._exit(0)
            pids.append(child)
            if number % 4 == 3:
                for one in pids[-4:]: os.waitpid(one, 0)
        print(json.dumps(pids))
    """
    pids = bench.run(code, switches="always", sample_hz=1000)
    switches = read_switches(bench.out)
    assert int(read_head(bench.out)["flags"]) & HeadFlag.ENDED
    if switches.on_core is not None:
        told = Counter(switches.tasks["tid"].tolist())
        assert [told[one] for one in pids] == [1] * len(pids)


def test_the_launcher_is_left_as_it_was(bench: Bench) -> None:
    def held() -> list[int]:
        return [len(list(Path("/proc/self", what).iterdir())) for what in ("task", "fd")]

    before = held()
    bench.run("pass", switches="always")
    assert held() == before
    head = read_head(bench.out)
    assert int(head["cpu_ns"]) > 0


def test_without_the_library_the_block_runs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_watcher.OVERRIDE, str(tmp_path / "none.so"))
    with watching(os.getpid(), tmp_path, {}, MIB):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_package_builds_every_source() -> None:
    root = NATIVE.parents[1]
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    modules = settings["tool"]["setuptools"]["ext-modules"]
    (watcher,) = [one for one in modules if one["name"] == _watcher.MODULE]

    def beside(pattern: str) -> set[str]:
        return {str(one.relative_to(root)) for one in (NATIVE / "watcher").glob(pattern)}

    assert beside("*.c") == set(watcher["sources"])
    assert beside("*.h") <= set(watcher["depends"])
