"""The library changes nothing that a program can see, and leaves others alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Bench
from .recording import read


def test_errno_of_every_call_is_kept(bench: Bench) -> None:
    program = """
        import errno, fcntl, os, select, socket, threading, time

        def code(call, *args):
            try:
                return call(*args)
            except OSError as error:
                return errno.errorcode[error.errno]

        r, w = os.pipe()
        os.set_blocking(r, False)
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()
        free.close()
        print(
            code(os.read, 9999, 1), code(os.read, r, 1), code(os.write, r, b"x"),
            code(os.open, "/nonexistent/file", os.O_RDONLY), code(os.close, 9999),
            code(os.waitpid, -1, 0), code(os.dup2, 9999, 5), code(os.fsync, r),
            code(socket.socket().connect, nobody), code(os.sendfile, r, 9999, 0, 1),
            code(socket.socket().accept), code(os.pread, r, 1, 0), code(fcntl.flock, 9999, 2),
            code(fcntl.fcntl, 9999, fcntl.F_GETFL), code(os.execv, "/nonexistent/x", ["x"]),
            code(select.epoll().poll, 0), code(select.select, [], [], [], 0),
            code(os.posix_spawn, "/nonexistent/x", ["x"], {}),
            threading.Lock().acquire(timeout=0.001),
        )
        """
    with_it = bench.run(program)
    bare = bench.run(program, LD_PRELOAD="")
    assert with_it.returncode == 0
    assert (with_it.stdout, with_it.stderr) == (bare.stdout, bare.stderr)


def test_errno_is_kept_in_c_callers(bench: Bench, compiler: Callable[..., Path]) -> None:
    """Calls that succeed or fail must not touch errno where libc would not."""
    library = compiler(
        [Path(__file__).with_name("errno_probe.c")], bench.folder / "probe.so", "-shared"
    )
    recording = bench.record(
        f"""
        import ctypes
        probe = ctypes.CDLL({str(library)!r})
        assert probe.errno_kept() == 0, probe.errno_kept()
        probe = ctypes.PyDLL({str(library)!r})
        assert probe.errno_kept() == 0, probe.errno_kept()
        """
    )
    assert recording.root().thread("MainThread").states["GIL_BLOCKED"].count > 0


def test_a_library_that_was_preloaded_before_still_works(
    bench: Bench, compiler: Callable[..., Path]
) -> None:
    other = compiler(
        [Path(__file__).with_name("other_preload.c")], bench.folder / "other.so", "-shared"
    )
    for order in (f"{bench.library}:{other}", f"{other}:{bench.library}"):
        outcome = bench.run(
            "import os, time; time.sleep(0.001); print(os.getenv('LD_PRELOAD'))", LD_PRELOAD=order
        )
        assert outcome.stdout == order + "\n"
        assert "usleep" not in outcome.stderr
        assert outcome.stderr.count("other library: clock_nanosleep") == 1


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "echo a | cat | wc -c; exit 5"],
        ["sh", "-c", "kill -TERM $$"],
        ["git", "--version"],
        ["awk", 'BEGIN { print 1; system("echo two") }'],
    ],
    ids=["pipeline", "signal", "git", "awk"],
)
def test_other_programs_run_unharmed_and_leave_no_file(bench: Bench, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    bare = subprocess.run(command, capture_output=True, check=False)
    watched = subprocess.run(command, capture_output=True, check=False, env=bench.env())
    assert (watched.returncode, watched.stdout, watched.stderr) == (
        bare.returncode,
        bare.stdout,
        bare.stderr,
    )
    assert list((bench.folder / "states").iterdir()) == []


def test_a_static_binary_is_told_by_its_parent(bench: Bench, compiler: Callable[..., Path]) -> None:
    source = bench.folder / "static.c"
    source.write_text("int main(void) { return 4; }\n", encoding="utf-8")
    binary = compiler([source], bench.folder / "static-program", "-static")
    recording = bench.record(
        f"""
        import subprocess
        assert subprocess.run([{str(binary)!r}]).returncode == 4
        """
    )
    (row,) = [row for row in recording.rows if row.argv == [str(binary)]]
    assert row.wait_status == 4 << 8


def test_descriptors_and_threads_are_the_programs_own(bench: Bench) -> None:
    program = """
        import os
        print(sorted(os.listdir("/proc/self/fd")))
        print(len(os.listdir("/proc/self/task")))
        """
    assert bench.run(program).stdout == bench.run(program, LD_PRELOAD="").stdout


def test_closing_everything_and_changing_the_directory_is_survived(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, tempfile, time
        os.closerange(3, 10_000)
        os.chdir("/")
        for _ in range(2000):
            time.sleep(0.000001)
        """
    )
    assert recording.root().thread("MainThread").states["SLEEP"].count == 2000


def test_signal_handlers_and_alarms_go_through(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, signal, time
        seen = []
        r, w = os.pipe()
        os.set_blocking(w, False)
        signal.set_wakeup_fd(w)
        signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        while len(seen) < 200:
            time.sleep(0.0007)
            sum(range(20_000))
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert len(os.read(r, 10_000)) >= len(seen)
        """
    )
    assert recording.root().status == "exited"


def test_the_python_of_the_system_is_recorded_when_it_is_static(bench: Bench) -> None:
    """A Python linked into its executable calls libc the same way."""
    system = "/usr/bin/python3"
    if not Path(system).exists() or sys.executable == system:
        pytest.skip("no other Python here")
    done = subprocess.run(
        [system, "-c", "import time; time.sleep(0.001)"], env=bench.env(), check=False
    )
    assert done.returncode == 0
    (process,) = read(bench.folder / "states").processes
    assert process.thread("MainThread").states["SLEEP"].count == 1
