"""Notice, while the target runs, that it has come to a standstill and will never go on.

The recorder's files tell what every thread does at this moment. Nothing is judged by one look: a
wait counts once it is old, and a circle of locks only while the whole target uses next to no CPU.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil

from concurtrace.analysis.standstill import describe, find_circle, waits_for_others
from concurtrace.model.states import State
from concurtrace.recording.live import LiveThread, read_live

OLD_NS = 3_000_000_000
"""A wait is looked at once it has lasted so long."""
QUIET_NS = 5_000_000_000
QUIET_SHARE = 0.02
"""A target is quiet that used less than this share of one core for ``QUIET_NS``."""
_LOOK_NS = 1_000_000_000
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
_USUAL_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGURG, signal.SIGCHLD}
"""Caught by Python or by the agent. What catches others may wait for one."""


class Guard:
    """Looks at the target now and then; ``look`` is to be called again and again."""

    def __init__(self, states: Path) -> None:
        self._states = states
        self._next_ns = 0
        self._cpu: list[tuple[int, int]] = []

    def look(self, pid: int) -> str | None:
        """Say in words why the target with this first process will never go on, or None."""
        now = time.monotonic_ns()
        if now < self._next_ns:
            return None
        self._next_ns = now + _LOOK_NS
        family = _family(pid)
        quiet = self._is_quiet(now, family)
        live = {one.pid: one.threads for one in read_live(self._states)}
        threads = [one for process in family for one in live.get(process.pid, ())]
        waiting = [one for one in threads if _is_stuck(one, now)]
        if len(waiting) < 2 and len(waiting) < len(threads):
            return None
        circle = find_circle(waiting)
        if circle and quiet:
            return describe(circle, waiting)
        if threads and all(one in waiting or _on_own_pipe(one, family, now) for one in threads):
            unseen = [one for one in family if one.pid not in live]
            if not unseen and not any(map(_awaits_signals, family)):
                return describe(circle, waiting)
        return None

    def _is_quiet(self, now: int, family: list[psutil.Process]) -> bool:
        self._cpu.append((now, sum(map(_cpu_ns, family))))
        old = [one for one in self._cpu if one[0] <= now - QUIET_NS]
        if not old:
            return False
        then, used = old[-1]
        self._cpu = self._cpu[self._cpu.index(old[-1]) :]
        return self._cpu[-1][1] - used < QUIET_SHARE * (now - then)


def _is_stuck(thread: LiveThread, now: int) -> bool:
    return waits_for_others(thread) and now - thread.since_ns >= OLD_NS


def _family(pid: int) -> list[psutil.Process]:
    """List the target's processes, without the helpers that multiprocessing keeps for itself."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [one for one in (root, *root.children(recursive=True)) if not _is_helper(one)]
    return []


def _is_helper(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            command = " ".join(process.cmdline())
            return any(helper in command for helper in _HELPERS)
    return True  # it has ended


def _cpu_ns(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return round((times.user + times.system) * 1e9)
    return 0


def _awaits_signals(process: psutil.Process) -> bool:
    """Say whether a process catches signals that neither Python nor we catch by ourselves."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text("ascii", "replace")
    except OSError:
        return True
    caught = int(status.partition("SigCgt:")[2].split(maxsplit=1)[0], 16)
    usual = sum(1 << (one - 1) for one in _USUAL_SIGNALS)
    # Those of the C library itself (32, 33) come from its own threads.
    return bool(caught & ~usual & 0x7FFFFFFF)


def _on_own_pipe(thread: LiveThread, family: list[psutil.Process], now: int) -> bool:
    """Say whether a thread waits for a pipe whose ends are all within the target."""
    if thread.state is not State.IO_WAIT or thread.fd < 0 or now - thread.since_ns < OLD_NS:
        return False
    pipe = _link(thread.pid, thread.fd)
    return pipe.startswith("pipe:") and _holders(pipe) <= {one.pid for one in family}


def _link(pid: int, fd: int) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/fd/{fd}").readlink())
    return ""


def _holders(pipe: str) -> set[int]:
    """Find who has a pipe open, among the processes that we may look into."""
    found = set()
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            links = (_link(pid, int(fd)) for fd in os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
            if pipe in links:
                found.add(pid)
    return found
