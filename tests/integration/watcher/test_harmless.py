"""Whatever the watcher meets, it is told, and harms neither the target nor the launcher."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from concurtrace.instruments import _watcher
from concurtrace.instruments._watcher import watching
from concurtrace.recording.samples import read_samples
from concurtrace.recording.switches import read_switches
from concurtrace.recording.tables import StackTable
from concurtrace.recording.watch import read_watch
from concurtrace.recording.watched import HeadFlag, Kind, read_head
from tests.integration.watcher.bench import MIB, NATIVE, Bench

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


def test_watching_that_can_not_be_started_is_told(bench: Bench) -> None:
    bench.out.mkdir()
    # A recording of another run is never written over.
    Kind.HEAD.path(bench.out).write_bytes(b"")
    with watching(os.getpid(), bench.out, {}, MIB):
        pass
    (loss,) = read_watch(bench.out, StackTable()).losses
    assert loss.reason == os.strerror(errno.EEXIST)


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
