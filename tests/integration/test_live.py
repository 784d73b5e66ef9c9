"""A target that is being recorded is shown as it is now, to somebody in another terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from concurtrace.analysis.live import RECENT_NS, ProcessView, ThreadView, Watch
from concurtrace.model.states import Reason, State
from concurtrace.model.tasks import TaskState
from concurtrace.rundir import store
from tests.cli import concurtrace

PROGRAM = """
import asyncio, sys, threading

lock = threading.Lock()
held, looping = threading.Event(), threading.Event()
loops = []

def hold():
    with lock:
        held.set()
        sys.stdin.read()
        loops[0].call_soon_threadsafe(loops[1].set)

def want():
    held.wait()
    with lock:
        pass

async def waits(done):
    await done.wait()

async def serve():
    done = asyncio.Event()
    loops.extend((asyncio.get_running_loop(), done))
    looping.set()
    await asyncio.gather(waits(done), waits(done))

threads = [threading.Thread(target=one, name=one.__name__) for one in (hold, want)]
threads.append(threading.Thread(target=asyncio.run, args=(serve(),), name="loop"))
for one in threads:
    one.start()
looping.wait()
print("working", flush=True)
for one in threads:
    one.join()
"""
HOME = b"\x1b[H"
HOLDS, WANTS, MADE = "program.py:11 in hold", "program.py:16 in want", "program.py:4 in <module>"


@dataclass(frozen=True)
class Seen:
    """What was seen of the target: by the functions, by the command, on a terminal; then ended."""

    process: ProcessView
    by_pid: subprocess.CompletedProcess[str]
    by_nobody: subprocess.CompletedProcess[str]
    terminal: str
    terminal_exit: int
    ended: subprocess.CompletedProcess[str]
    name: str

    def thread(self, name: str) -> ThreadView:
        (found,) = [one for one in self.process.threads if one.name == name]
        return found


def _until(look: Callable[[], ProcessView | None]) -> ProcessView:
    deadline = time.monotonic() + 60
    while (found := look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def _all_at_rest(watch: Watch) -> Callable[[], ProcessView | None]:
    """Make a question: has every thread been long where it will stay, and is its place known?

    Then that place is the one of its wait, and not one where it was seen before.
    """

    def look() -> ProcessView | None:
        for process in watch.look():
            threads = process.threads
            settled = all(t.lasts_ns > RECENT_NS and t.where and t.shares for t in threads)
            if settled and {"MainThread", "hold", "want", "loop"} == {t.name for t in threads}:
                return process
        return None

    return look


def _on_terminal(folder: Path, name: str) -> tuple[subprocess.Popen[bytes], int]:
    ours, theirs = pty.openpty()
    shown = subprocess.Popen(
        [sys.executable, "-m", "concurtrace", "live", name, "--interval", "0.05"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
    )
    os.close(theirs)
    return shown, ours


def _read_all(terminal: int) -> bytes:
    parts = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:  # how a terminal says that the other side is closed
        os.close(terminal)
    return b"".join(parts)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("live")
    (folder / "program.py").write_text(PROGRAM)
    recorded = subprocess.Popen(
        [sys.executable, "-m", "concurtrace", "run", "--quiet", "program.py"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert recorded.stdin is not None
    assert recorded.stdout is not None
    assert recorded.stdout.readline() == "working\n"
    (run,) = (folder / store.RUNS).iterdir()
    raw = run / store.RAW / "light"
    process = _until(_all_at_rest(Watch(raw / "states", raw / "tasks", dict)))
    damaged = folder / store.RUNS / "29991231-000000-damaged"
    damaged.mkdir()
    (damaged / "run.json").write_text("{")
    by_pid = concurtrace(folder, "live", str(process.pid), "--interval", "0.05")
    by_nobody = concurtrace(folder, "live", "99999999")
    shown, terminal = _on_terminal(folder, run.name)
    first = b""
    while first.count(HOME) < 2:
        first += os.read(terminal, 65536)
    recorded.stdin.close()
    told = (first + _read_all(terminal)).decode()
    recorded.wait(60)
    ended = concurtrace(folder, "live", run.name)
    return Seen(process, by_pid, by_nobody, told, shown.wait(60), ended, run.name)


def test_a_wait_for_a_lock_names_the_lock_its_holder_and_the_line(seen: Seen) -> None:
    holder, waiter = seen.thread("hold"), seen.thread("want")
    assert waiter.state is State.LOCK_WAIT
    assert waiter.where.endswith(WANTS)
    assert waiter.awaits.endswith(f"{MADE}, held by hold ({holder.tid})")
    assert waiter.shares == ((State.LOCK_WAIT, 1.0),)
    assert holder.state is State.IO_WAIT
    assert holder.where.endswith(HOLDS)
    assert holder.awaits == "descriptor 0"


def test_a_join_is_told_from_a_lock_by_the_stack(seen: Seen) -> None:
    main = seen.thread("MainThread")
    assert (main.state, main.reason) == (State.CONDITION_WAIT, Reason.JOIN)
    if sys.version_info < (3, 13):  # later ones do not wait for a lock that the thread holds
        assert main.awaits == f"the end of hold ({seen.thread('hold').tid})"


def test_tasks_are_counted(seen: Seen) -> None:
    assert seen.thread("loop").state is State.IO_WAIT
    tasks = seen.process.tasks
    assert tasks is not None
    assert (tasks.loops, tasks.made) == (1, 3)
    assert tasks.now == {TaskState.AWAITING: 3}


def test_without_a_terminal_one_picture_is_printed(seen: Seen) -> None:
    told = seen.by_pid
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert lines[0] == f"{seen.name} · light"
    assert sum(line.startswith("process ") for line in lines) == 1
    assert any("want" in line and "LOCK_WAIT" in line and WANTS in line for line in lines)
    assert any(MADE in line and "held by hold" in line for line in lines)
    assert "  tasks on 1 loop: 3 AWAITING (3 made, " in told.stdout
    assert "\x1b" not in told.stdout


def test_on_a_terminal_it_is_redrawn_until_the_target_has_ended(seen: Seen) -> None:
    assert seen.terminal_exit == 0
    assert seen.terminal.count("\x1b[H") > 1  # drawn over
    assert "\x1b[3" not in seen.terminal  # no colour, as NO_COLOR asks
    assert f"The target has ended: concurtrace show {seen.name}" in seen.terminal.splitlines()[-2]


def test_what_is_not_recorded_is_refused(seen: Seen) -> None:
    assert seen.by_nobody.returncode == 2
    assert f"{seen.process.pid}" in seen.by_nobody.stderr
    assert seen.ended.returncode == 2
    assert f"concurtrace show {seen.name}" in seen.ended.stderr
