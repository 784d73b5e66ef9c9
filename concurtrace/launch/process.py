"""Run one child process to its end: deadline, Ctrl-C, leftovers."""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType

import psutil

from concurtrace.errors import RunFailedError

_PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 5.0
"""How long the target may take to write what was recorded once it was told to stop."""


@dataclass(frozen=True)
class Ended:
    """How a child ended; times in nanoseconds, CPU time of it and of its waited descendants."""

    exit_code: int | None
    signal: int | None
    start_ns: int
    wall_ns: int
    cpu_ns: int
    timed_out: bool
    interrupted: bool
    leftovers: tuple[int, ...]

    @property
    def how(self) -> str:
        """How it ended, in words."""
        if self.timed_out:
            return "it did not end within the time limit"
        return f"signal {self.signal} ended it" if self.signal else f"exit code {self.exit_code}"


def adopt_orphans() -> None:
    """Make this process the parent of its orphaned descendants, so that none is lost sight of."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    argv: tuple[str, ...],
    environment: Mapping[str, str],
    beside: Callable[[int], AbstractContextManager[None]],
    time_limit_s: float | None,
) -> Ended:
    """Run a child to its end, with ``beside(pid)`` around it.

    A target on a terminal shares our process group, so the terminal's Ctrl-C reaches it once;
    elsewhere it has a group of its own and our SIGINT is handed on to it. RunFailedError if it
    can't be started.
    """
    shares_group = os.isatty(0)
    start_ns = time.monotonic_ns()
    try:
        child = subprocess.Popen(
            argv, env=dict(environment), process_group=None if shares_group else 0
        )
    except OSError as error:
        raise RunFailedError(f"Cannot start {argv[0]}: {error.strerror}.") from error
    with _Interrupts(child.pid, hand_on=not shares_group) as interrupts:
        with beside(child.pid):
            timed_out = not _wait(child.pid, start_ns, time_limit_s, interrupts)
            if timed_out or interrupts.count > 1:
                stop_tree(child.pid)
            _, status, usage = os.wait4(child.pid, 0)
            end_ns = time.monotonic_ns()
        code = os.waitstatus_to_exitcode(status)
        child.returncode = code  # Popen must not wait for it again
        orphans = _stop_orphans()
    return Ended(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        start_ns=start_ns,
        wall_ns=end_ns - start_ns,
        cpu_ns=round((usage.ru_utime + usage.ru_stime) * 1e9),
        timed_out=timed_out,
        interrupted=interrupts.count > 0,
        leftovers=orphans,
    )


def _wait(pid: int, start_ns: int, time_limit_s: float | None, interrupts: "_Interrupts") -> bool:
    """Wait until the child has ended; False when the time limit passed first."""
    handle = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while interrupts.count < 2:
            left_ms = None
            if time_limit_s is not None:
                left_ms = time_limit_s * 1e3 - (time.monotonic_ns() - start_ns) / 1e6
                if left_ms <= 0:
                    return False
            # A signal's handler runs here but poll goes on by itself: look up now and then.
            if poll.poll(min(left_ms or 500, 500)):
                return True
        return True
    finally:
        os.close(handle)


def stop_tree(pid: int) -> None:
    """Ask a process and its descendants to end, so that probes can write; then kill them."""
    family = _family(pid)
    _signal_all(family, signal.SIGTERM)
    _, alive = _wait_unreaped(family, GRACE_S)
    # New ones may have been started meanwhile.
    _signal_all([*alive, *_family(pid)], signal.SIGKILL)


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def _signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            process.send_signal(number)


def _wait_unreaped(
    processes: list[psutil.Process], seconds: float
) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Wait until processes have ended without reaping them: their status is still wanted."""
    deadline = time.monotonic() + seconds
    alive = processes
    while alive and time.monotonic() < deadline:
        alive = [one for one in alive if _is_alive(one)]
        time.sleep(0.02)
    return [one for one in processes if one not in alive], alive


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _stop_orphans() -> tuple[int, ...]:
    """End what the target left running, reap it, and say which processes they were."""
    stopped: list[int] = []
    for _ in range(10):
        left = [one for one in psutil.Process().children() if one.pid not in _ours]
        if not left:
            break
        running = [one for one in left if _is_alive(one)]
        stopped.extend(one.pid for one in running)
        for one in running:
            stop_tree(one.pid)
        for one in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one.pid, 0)
    return tuple(stopped)


_ours: set[int] = set()


@contextlib.contextmanager
def kept(pid: int) -> Iterator[None]:
    """Keep a process of our own (a service) from being taken for something left behind."""
    _ours.add(pid)
    try:
        yield
    finally:
        _ours.discard(pid)


class _Interrupts:
    """Count SIGINTs while a child runs, and hand the first on where the terminal does not."""

    def __init__(self, pid: int, *, hand_on: bool) -> None:
        self.pid = pid
        self.hand_on = hand_on
        self.count = 0

    def __enter__(self) -> "_Interrupts":
        self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.hand_on and self.count == 1:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGINT)
