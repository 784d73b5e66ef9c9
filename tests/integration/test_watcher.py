"""The watcher against real programs: who was on which core, and in which function, as they dictate.

A program that must run for a while does so until its input is closed: no test waits for a time.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from concurtrace.instruments import _watcher
from concurtrace.instruments._watcher import watching
from concurtrace.model.states import State
from concurtrace.model.trace import NO_CORE, Frame
from concurtrace.recording.samples import SampleRead, read_samples
from concurtrace.recording.switches import Switches, read_switches
from concurtrace.recording.tables import StackTable
from concurtrace.recording.watched import HeadFlag, Kind, Source, read_head, read_table

NATIVE = Path(_watcher.__file__).parents[1] / "native"
FLAGS = ["-O2", "-std=gnu11", "-fPIC", "-shared", "-fno-optimize-sibling-calls"]
FLAGS += ["-fvisibility=hidden", "-ftls-model=initial-exec", "-Wall", "-Wextra", "-Werror"]
MIB = 1 << 20
FORK_SEEN, EXITED, PROCESS = 1, 2, 8

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


def _build(sources: list[Path], output: Path) -> Path:
    subprocess.run(["cc", *FLAGS, *map(str, sources), "-o", str(output), "-lpthread"], check=True)
    return output


@dataclass(frozen=True)
class Libraries:
    watcher: Path
    recorder: Path


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    folder = tmp_path_factory.mktemp("native")
    return Libraries(
        _build(sorted((NATIVE / "watcher").glob("*.c")), folder / "watcher.so"),
        _build(sorted(NATIVE.glob("*.c")), folder / "recorder.so"),
    )


@dataclass(frozen=True)
class Bench:
    """Where programs run under the recorder while the watcher looks at them."""

    folder: Path
    libraries: Libraries

    @property
    def out(self) -> Path:
        return self.folder / "states"

    @contextlib.contextmanager
    def start(self, code: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """Start a program; it is watched until the block ends, and must end by then."""
        self.out.mkdir(exist_ok=True)
        script = self.folder / "program.py"
        script.write_text(textwrap.dedent(code))
        room = options.pop("max_bytes", 16 * MIB)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(self.libraries.recorder),
            "CONCURTRACE_STATES_DIR": str(self.out),
        }
        with subprocess.Popen(
            [sys.executable, str(script)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as program:
            try:
                with watching(program.pid, self.out, options, room):
                    yield program
                    program.wait(60)
            finally:
                program.kill()

    def run(self, code: str, **options: Any) -> Any:
        """Run a program to its end; returns what it printed, as JSON."""
        with self.start(code, **options) as program:
            told, _ = program.communicate(timeout=60)
        assert program.returncode == 0
        return json.loads(told) if told else None

    def run_until(self, code: str, enough: Callable[[], bool], **options: Any) -> Any:
        """Run a program that ends when its input does, for as long as there is not enough."""
        with self.start(code, **options) as program:
            deadline = time.monotonic() + 60
            while not enough() and program.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            told, _ = program.communicate(timeout=60)
        assert program.returncode == 0
        assert enough()
        return json.loads(told) if told else None

    def count(self, kind: Kind) -> int:
        """Items of a table so far; it grows while the watcher runs."""
        return len(read_table(self.out, kind).items) if kind.path(self.out).exists() else 0


@pytest.fixture
def bench(tmp_path: Path, libraries: Libraries, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv(_watcher.OVERRIDE, str(libraries.watcher))
    return Bench(tmp_path, libraries)


@pytest.fixture
def switches_permitted(bench: Bench) -> None:
    """Skip where the kernel refuses switch records, as some containers do."""
    bench.run("pass", switches="always", sample_hz=0)
    permitted = int(read_head(bench.out)["source"]) == Source.PERF.value
    shutil.rmtree(bench.out)
    if not permitted:
        pytest.skip("perf_event_open is not permitted here")


# ---- who was on which core ----

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


# ---- which function ran ----


@dataclass(frozen=True)
class Seen:
    """Samples with their stacks spelled out."""

    read: SampleRead
    stacks: list[tuple[Frame, ...]]

    def of(self, tid: int) -> list[tuple[Frame, ...]]:
        mine = self.read.samples.tid == tid
        return [stack for stack, one in zip(self.stacks, mine.tolist(), strict=True) if one]


def _seen(bench: Bench) -> Seen:
    table = StackTable()
    read = read_samples(bench.out, table)
    stacks = table.finish()
    return Seen(read, [stacks.frames(one) for one in read.samples.stack.tolist()])


def _enough(bench: Bench, number: int = 300) -> Callable[[], bool]:
    return lambda: bench.count(Kind.SAMPLES) >= number


SPINNERS = """
import sys, threading
done = False
def spin_left():
    total = 0
    while not done:
        total += 1

def spin_right():
    total = 0
    while not done:
        total += 1

def rest():
    done_too.wait()

done_too = threading.Event()
threads = {f.__name__: threading.Thread(target=f) for f in (spin_left, spin_right, rest)}
for one in threads.values(): one.start()
sys.stdin.read()
done = True
done_too.set()
print(__import__("json").dumps({name: one.native_id for name, one in threads.items()}))
for one in threads.values(): one.join()
"""


def test_a_function_that_spins_is_what_is_seen(bench: Bench) -> None:
    tids = bench.run_until(SPINNERS, _enough(bench))
    seen = _seen(bench)
    for name, lines in (("spin_left", (5, 6, 7)), ("spin_right", (10, 11, 12))):
        stacks = seen.of(tids[name])
        # Before it is called and behind its end there is little else.
        assert len(stacks) > 50
        mine = [one for one in stacks if one and one[0].function.name == name]
        assert len(mine) >= 0.95 * len(stacks)
        for stack in mine:
            assert stack[0].line in lines
            assert stack[0].function.file == str(bench.folder / "program.py")
            assert [frame.function.name for frame in stack[1:]] == [
                "Thread.run",
                "Thread._bootstrap_inner",
                "Thread._bootstrap",
            ]
    # It waited but for its beginning and its end.
    assert len(seen.of(tids["rest"])) < 0.05 * len(seen.stacks) + 5


CALLS = """
import sys, threading
def d(x): return x + 1
def c(x): return d(x) + d(x)
def g(x): return x * 2
def b(x): return g(c(x))
def f(x, p=1, q=2, r=3): return [p, q, r][0] + x
def e(x): return f(x) - f(x + 1)
def gen(n):
    for i in range(n): yield d(i)
def a(x):
    s = b(x) + e(x)
    for v in gen(3): s += v
    return s
def recurse(n): return a(n) if n == 0 else recurse(n - 1)
done = False
def work():
    while not done:
        for i in range(50): a(i)
        recurse(20)
threads = [threading.Thread(target=work) for _ in range(2)]
for one in threads: one.start()
sys.stdin.read()
done = True
for one in threads: one.join()
"""
EDGES = {
    *("work-a", "work-recurse", "recurse-recurse", "recurse-a", "a-b", "a-e", "a-gen"),
    *("gen-d", "b-c", "b-g", "c-d", "e-f", "Thread.run-work"),
    *("Thread._bootstrap_inner-Thread.run", "Thread._bootstrap-Thread._bootstrap_inner"),
}


def test_stacks_that_change_all_the_time_are_true(bench: Bench) -> None:
    bench.run_until(CALLS, _enough(bench, 1500), sample_hz=2000)
    stacks = [one for one in _seen(bench).stacks if any(f.function.name == "work" for f in one)]
    assert len(stacks) > 500
    false = [
        [frame.function.name for frame in stack]
        for stack in stacks
        if not all(
            f"{caller.function.name}-{called.function.name}" in EDGES
            for called, caller in itertools.pairwise(stack)
        )
        or stack[-1].function.name != "Thread._bootstrap"
    ]
    # Calls of 50 ns each, read from outside: now and then one slips through.
    assert len(false) <= 0.01 * len(stacks), false
    assert {stack[0].function.name for stack in stacks} >= {"a", "b", "c", "d", "e", "f", "gen"}


def test_names_survive_code_that_is_freed(bench: Bench) -> None:
    code = """
        import sys, threading
        done = False
        def churn():
            number = 0
            while not done:
                number = (number + 1) % 1000
                source = "\\n" * number + f"def f_{number}():\\n  for _ in range(2000): pass\\n"
                space = {}
                exec(compile(source, f"<made {number}>", "exec"), space)
                space[f"f_{number}"]()
        thread = threading.Thread(target=churn)
        thread.start()
        sys.stdin.read()
        done = True
        thread.join()
    """
    bench.run_until(code, _enough(bench), sample_hz=1000)
    made = [one[0] for one in _seen(bench).stacks if one and "f_" in one[0].function.name]
    assert len({one.function for one in made}) > 20
    for frame in made:
        number = int(frame.function.name.removeprefix("f_"))
        assert frame.function.file == f"<made {number}>"
        assert frame.function.line == number + 1
        assert frame.line in (number + 1, number + 2)


def test_lines_and_names_of_every_kind_are_exact(bench: Bench) -> None:
    code = '''
        import asyncio, sys, threading
        done = False

        class Größe:
            def zählt(self):
                while not done:
                    for _ in range(100):
                        pass
            def mißt(self, 數=1):
                (
                    self
                    .zählt()
                )

        def generate():
            Größe().mißt()
            yield

        async def inner():
            for _ in generate():
                pass

        async def outer():
            """A docstring of more

            lines than one."""
            await inner()

        thread = threading.Thread(target=lambda: asyncio.run(outer()))
        thread.start()
        sys.stdin.read()
        done = True
        thread.join()
    '''
    bench.run_until(code, _enough(bench, 100))
    wanted = [
        ("Größe.mißt", {13}),
        ("generate", {17}),
        ("inner", {21}),
        ("outer", {28}),
    ]
    script = str(bench.folder / "program.py")
    stacks = [one for one in _seen(bench).stacks if one and "zählt" in one[0].function.name]
    assert len(stacks) > 50
    for stack in stacks:
        own = [frame for frame in stack if frame.function.file == script]
        assert own[0].function.name == "Größe.zählt"
        assert own[0].line in (7, 8, 9)
        found = [(frame.function.name, {frame.line}) for frame in own[1:5]]
        assert found == wanted
        assert own[5].function.name == "<lambda>"


def test_native_work_without_the_gil_is_told_apart(bench: Bench) -> None:
    code = """
        import sys, threading, zlib
        done = False
        def press():
            data = bytes(range(256)) * 8192
            while not done: zlib.compress(data, 9)
        thread = threading.Thread(target=press)
        thread.start()
        sys.stdin.read()
        done = True
        thread.join()
    """
    bench.run_until(code, _enough(bench, 100), switches="never")
    seen = _seen(bench)
    state = np.array(seen.read.samples.state)
    pressing = [bool(one) and one[0].function.name == "press" for one in seen.stacks]
    found = Counter(state[np.array(pressing)].tolist())
    assert found[State.RUNNING_NOGIL.code] > 0.9 * found.total()


def test_every_process_is_sampled_and_told_apart(bench: Bench) -> None:
    code = """
        import json, multiprocessing, os, sys
        def spin_in_fork(stop):
            while not stop.value: pass
        def spin_in_spawn(stop):
            while not stop.value: pass
        if __name__ == "__main__":
            stop = multiprocessing.get_context("spawn").Value("b", 0, lock=False)
            children = {
                f.__name__: multiprocessing.get_context(method).Process(target=f, args=(stop,))
                for method, f in (("fork", spin_in_fork), ("spawn", spin_in_spawn))
            }
            for one in children.values(): one.start()
            sys.stdin.read()
            stop.value = 1
            for one in children.values(): one.join()
            print(json.dumps({name: one.pid for name, one in children.items()}))
    """

    def both() -> bool:
        if not bench.count(Kind.SAMPLES):
            return False
        images = Counter(read_table(bench.out, Kind.SAMPLES).items["image"].tolist())
        return sum(count > 150 for count in images.values()) >= 2

    pids = bench.run_until(code, both)
    seen = _seen(bench)
    for name, pid in pids.items():
        stacks = [one for one in seen.of(pid) if one and one[0].function.name.startswith("spin")]
        assert len(stacks) > 10
        assert {one[0].function.name for one in stacks} == {name}


def test_greenlets_are_seen_where_they_are(bench: Bench) -> None:
    pytest.importorskip("greenlet")
    code = """
        import sys, threading, greenlet
        done = False
        def deep(n, then):
            return then() if n == 0 else deep(n - 1, then)
        def switch_from_deep():
            other.switch()
        def spin_in_other():
            while not done: pass
        def run():
            global other
            other = greenlet.greenlet(spin_in_other)
            deep(30, switch_from_deep)
        thread = threading.Thread(target=run)
        thread.start()
        sys.stdin.read()
        done = True
        thread.join()
    """
    bench.run_until(code, _enough(bench, 100))
    stacks = [one for one in _seen(bench).stacks if one and "spin" in one[0].function.name]
    assert len(stacks) > 50
    # The greenlet's own frames only: its thread's others are set aside.
    assert {len(one) for one in stacks} == {1}


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
