"""Run one child process to its end: deadline, Ctrl-C, leftovers."""

import contextlib
import ctypes
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import psutil

from concurtrace.errors import RunFailedError
from concurtrace.launch.agent import NUDGE
from concurtrace.launch.interrupts import Interrupts

_PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 5.0
"""How long the target may take to write what was recorded once it was told to stop."""
_LOOK_MS = 500.0
SETTLE_S = 1.0
"""How long what the target left may take to end by itself."""


def never_stuck(_pid: int) -> str | None:
    """Leave the target to itself, where nothing tells what its threads do."""
    return None


class Leftovers(Enum):
    """What becomes of processes that the target left running."""

    STOP = "stop"
    LEAVE = "leave"


@dataclass(frozen=True)
class Ended:
    """How a child ended; times in nanoseconds, CPU time of it and of its waited descendants.

    So are ``major_faults``, pages that had to be read from a disk.
    ``unwaited_cpu_ns`` is the CPU time of descendants that it did not wait for (the children of a
    forkserver), as far as they have ended.
    ``standstill`` says who waited for whom where it was stopped because it would never have gone
    on. ``leftovers`` are the processes that still ran when it had ended.
    """

    exit_code: int | None
    signal: int | None
    start_ns: int
    wall_ns: int
    cpu_ns: int
    major_faults: int
    unwaited_cpu_ns: int
    timed_out: bool
    standstill: str | None
    leftovers: tuple[int, ...]

    @property
    def how(self) -> str:
        """How it ended, in words."""
        if self.timed_out:
            return "it did not end within the time limit"
        if self.standstill:
            return f"it came to a standstill: {self.standstill}"
        if self.signal:
            return f"{signal.Signals(self.signal).name} ended it"
        return f"exit code {self.exit_code}"


def adopt_orphans() -> None:
    """Make this process the parent of its orphaned descendants, so that none is lost sight of."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True)
class Captured:
    """The files that a child's output and errors go to; its input is empty then."""

    output: Path
    errors: Path


@dataclass(frozen=True)
class Child:
    """A child to be run: its command, environment and limits.

    Without ``captured`` it has our input and output. ``look`` is called with its pid now and then,
    and says why it will never go on, or None.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    time_limit_s: float | None
    leftovers: Leftovers
    captured: Captured | None = None
    look: Callable[[int], str | None] = never_stuck

    def run(
        self, interrupts: Interrupts, beside: Callable[[int], AbstractContextManager[None]]
    ) -> Ended:
        """Run it to its end with ``beside(pid)`` around it; RunFailedError if it can't be started.

        On a terminal the child shares our process group, so the terminal's Ctrl-C reaches it once;
        elsewhere it has a group of its own, and our SIGINT is handed on to it.
        """
        shares_group = os.isatty(0)
        ours = {one.pid for one in psutil.Process().children()}
        start_ns = time.monotonic_ns()
        try:
            with self._streams() as streams:
                child = subprocess.Popen(
                    self.argv,
                    env=dict(self.environment),
                    process_group=None if shares_group else 0,
                    **streams,
                )
        except OSError as error:
            raise RunFailedError(f"Cannot start {self.argv[0]}: {error.strerror}.") from error
        with interrupts.handed_to(None if shares_group else child.pid), beside(child.pid):
            waited = _wait(self, child.pid, start_ns, interrupts)
            if not waited.ended:
                _stop_tree(child.pid)
            # The sampler beside it may still want the process: it is reaped only here.
            _, status, usage = os.wait4(child.pid, 0)
            end_ns = time.monotonic_ns()
        code = os.waitstatus_to_exitcode(status)
        child.returncode = code  # Popen must not wait for it again
        left_running, left_cpu_ns = _settle_leftovers(ours, self.leftovers)
        return Ended(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            start_ns=start_ns,
            wall_ns=end_ns - start_ns,
            cpu_ns=_cpu_ns(usage),
            major_faults=usage.ru_majflt,
            unwaited_cpu_ns=left_cpu_ns,
            timed_out=waited.timed_out,
            standstill=waited.standstill,
            leftovers=left_running,
        )

    @contextlib.contextmanager
    def _streams(self) -> Iterator[dict[str, Any]]:
        if self.captured is None:
            yield {}
            return
        with self.captured.output.open("wb") as output, self.captured.errors.open("wb") as errors:
            yield {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": errors}


def _cpu_ns(usage: resource.struct_rusage) -> int:
    return round((usage.ru_utime + usage.ru_stime) * 1e9)


@dataclass(frozen=True)
class _Waited:
    """What waiting for the child came to."""

    ended: bool = False
    timed_out: bool = False
    standstill: str | None = None


def _wait(child: Child, pid: int, start_ns: int, interrupts: Interrupts) -> _Waited:
    """Wait until the child has ended, its time is over, it is stuck, or Ctrl-C came twice."""
    handle = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while not interrupts.insisted:
            left_ms = _LOOK_MS
            if child.time_limit_s is not None:
                left_ms = child.time_limit_s * 1e3 - (time.monotonic_ns() - start_ns) / 1e6
                if left_ms <= 0:
                    return _Waited(timed_out=True)
            # A signal's handler runs here, but poll goes on by itself: look up now and then.
            if poll.poll(min(left_ms, _LOOK_MS)):
                return _Waited(ended=True)
            if standstill := child.look(pid):
                return _Waited(standstill=standstill)
        return _Waited()
    finally:
        os.close(handle)


def _stop_tree(pid: int) -> None:
    """Ask a process and its descendants to end, so that probes can write; then kill them."""
    alive = _family(pid)
    _signal_all(alive, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        _signal_all(alive, NUDGE)
        # Not psutil.wait_procs: it would reap them, and their status is still wanted.
        alive = [one for one in alive if _is_running(one)]
    # New ones may have been started meanwhile.
    _signal_all([*alive, *_family(pid)], signal.SIGKILL)


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def _signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _is_running(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _let_end(processes: list[psutil.Process]) -> None:
    """Give processes time to end by themselves.

    Multiprocessing's forkserver and resource tracker do once they notice that the target is gone.
    """
    deadline = time.monotonic() + SETTLE_S
    while any(map(_is_running, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _settle_leftovers(ours: set[int], wanted: Leftovers) -> tuple[tuple[int, ...], int]:
    """Reap what the target left behind; stop what still runs, or leave it.

    Returns the pids of what still ran, and the CPU time of what was reaped.
    """
    running: set[int] = set()
    cpu_ns = 0
    # What is stopped may have children of its own, which then become ours.
    for _ in range(10):
        left = [one for one in psutil.Process().children() if one.pid not in ours | running]
        if not left:
            break
        _let_end(left)
        for one in left:
            if _is_running(one):
                running.add(one.pid)
                if wanted is Leftovers.LEAVE:
                    continue
                _stop_tree(one.pid)
            with contextlib.suppress(ChildProcessError):
                cpu_ns += _cpu_ns(os.wait4(one.pid, 0)[2])
    return tuple(sorted(running)), cpu_ns
