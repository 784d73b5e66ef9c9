"""Processes: none missed, with parents, commands and ends."""

from __future__ import annotations

import json
import os
import signal

import pytest

from .conftest import Bench
from .recording import Recording, Row


def children(recording: Recording) -> list[Row]:
    root = recording.root()
    return [row for row in recording.rows if row.ppid == root.pid]


def test_every_forked_child_is_told_however_short(bench: Bench) -> None:
    recording = bench.record(
        """
        import os
        for code in range(20):
            pid = os.fork()
            if pid == 0:
                os._exit(code)
            os.waitpid(pid, 0)
        """
    )
    rows = children(recording)
    assert [os.waitstatus_to_exitcode(row.wait_status) for row in rows] == list(range(20))
    root = recording.root()
    main = root.thread("MainThread")
    assert all(row.start_method == "fork" and row.reaped and row.python for row in rows)
    assert all(row.creator_tid == main.tid for row in rows)
    assert all(row.fork_ns <= row.image_ns <= row.end_ns for row in rows)
    files = {process.pid: process for process in recording.processes}
    for row in rows:
        child = files[row.pid]
        assert (child.ppid, child.parent_start_ns) == (root.pid, root.start_ns)
        assert (child.status, child.exit_code) == ("exited", row.exit_code)
        assert child.thread("MainThread").tid == row.pid
    assert [s.waker for s in main.of("CHILD_WAIT")] == [row.pid for row in rows]


def test_programs_that_are_not_python_leave_a_row_and_no_file(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, subprocess
        subprocess.run(["sh", "-c", "true; /bin/echo one; exit 3"], check=False)
        subprocess.run(["/bin/true"], close_fds=False)
        pid = os.fork()
        if pid == 0:
            os.execvp("sleep", ["sleep", "0"])
        os.waitpid(pid, 0)
        """
    )
    rows = {row.argv[0]: row for row in recording.rows}
    shell, echo, true, sleep = (rows[n] for n in ("sh", "/bin/echo", "/bin/true", "sleep"))
    assert shell.argv == ["sh", "-c", "true; /bin/echo one; exit 3"]
    assert (shell.start_method, shell.wait_status) == ("vfork+exec", 3 << 8)
    assert echo.ppid == shell.pid
    assert true.start_method in ("posix_spawn", "vfork+exec")
    assert sleep.start_method == "fork+exec"
    assert {p.pid for p in recording.processes} & {r.pid for r in (shell, echo, true)} == set()
    assert all(row.reaped for row in (shell, true, sleep))


def test_who_starts_a_program_sleeps_until_it_runs(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, subprocess, time
        time.sleep(0)  # the GIL is known from here on
        for _ in range(3):
            subprocess.Popen(["/bin/true"]).wait()
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        """
    )
    main = recording.root().thread("MainThread")
    rows = sorted(children(recording), key=lambda row: row.fork_ns)
    assert [row.start_method for row in rows] == ["vfork+exec"] * 3 + ["posix_spawn"]
    for row in rows[:3]:
        # Python lets go of the GIL for vfork, and not for posix_spawn.
        assert [s for s in main.of("CHILD_WAIT") if s.start_ns <= row.exec_ns <= s.end_ns]
    asleep = [span for span in main.of("GIL_BLOCKED") if span.reason == "child"]
    assert len(asleep) == 1
    assert rows[3].fork_ns <= asleep[0].end_ns


def test_a_command_that_does_not_exist_was_never_executed(bench: Bench) -> None:
    recording = bench.record(
        """
        import subprocess
        try:
            subprocess.run(["/nonexistent/command"], cwd="/")   # not by posix_spawn
        except FileNotFoundError:
            print("not found")
        """
    )
    (row,) = children(recording)
    assert row.argv == ["/nonexistent/command"]
    assert row.exec_ns == 0


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_children_have_parents_and_files(bench: Bench, method: str) -> None:
    outcome = bench.run(
        f"""
        import json, multiprocessing, os

        def child(queue, number):
            queue.put((number, os.getpid(), os.getppid()))

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            queue = context.SimpleQueue()
            started = [context.Process(target=child, args=(queue, n)) for n in range(4)]
            for process in started:
                process.start()
            told = [queue.get() for _ in started]
            for process in started:
                process.join()
            print(json.dumps(told))
        """
    )
    recording = outcome.recording
    told = json.loads(outcome.stdout)
    files = {process.pid: process for process in recording.processes}
    rows = {row.pid: row for row in recording.rows}
    assert len(told) == 4
    for _, pid, parent in told:
        assert files[pid].ppid == rows[pid].ppid == parent
        assert files[pid].parent_start_ns == files[parent].start_ns
        assert files[pid].status == "exited"


def test_an_exec_keeps_the_pid_and_starts_a_new_file(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, sys
        if len(sys.argv) == 1:
            os.execv(sys.executable, [sys.executable, __file__, "again"])
        """
    )
    first, second = recording.processes
    assert first.pid == second.pid
    assert (first.status, second.status) == ("execed", "exited")
    assert second.start_method == "exec"
    assert second.argv[-1] == "again"
    (row,) = recording.rows
    assert row.argv[-1] == "again"
    assert row.image_ns == second.start_ns


def test_an_exec_that_fails_leaves_the_process_recorded(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, time
        try:
            os.execv("/nonexistent/command", ["x"])
        except FileNotFoundError:
            time.sleep(0.001)
        """
    )
    root = recording.root()
    assert root.status == "exited"
    assert root.thread("MainThread").states["SLEEP"].count == 1


def test_a_killed_child_is_ended_by_its_signal(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, signal, time
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            time.sleep(0.001)
            os.write(w, b"x")
            time.sleep(60)
        os.read(r, 1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        """
    )
    (row,) = children(recording)
    assert os.WTERMSIG(row.wait_status) == signal.SIGKILL
    (child,) = [p for p in recording.processes if p.pid == row.pid]
    assert child.status == "alive"
    main = child.thread("MainThread")
    assert main.states["SLEEP"].count == 1


def test_a_fork_in_a_thread_leaves_one_thread_and_no_lock_of_the_others(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, threading, time

        lock = threading.Lock()
        stop = threading.Event()

        def forker():
            with lock:
                pid = os.fork()
                if pid == 0:
                    stop.wait(0.001)
                    os._exit(0)
                os.waitpid(pid, 0)

        other = threading.Thread(target=stop.wait)
        other.start()
        thread = threading.Thread(target=forker, name="forker")
        thread.start()
        thread.join()
        stop.set()
        other.join()
        """
    )
    (child,) = [p for p in recording.processes if p.start_method == "fork"]
    (only,) = child.threads
    assert only.tid == child.pid
    assert child.creator_tid == recording.root().thread("forker").tid
    assert only.states["CONDITION_WAIT"].count == 1
