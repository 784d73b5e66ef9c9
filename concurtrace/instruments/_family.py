"""The processes of a running target, seen from the launcher through /proc.

The kernel's own list of children is read (proc(5), ``/proc/<pid>/task/<tid>/children``): it costs
some 70 microseconds per process, a scan of all processes of the machine milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from concurtrace.model.masking import mask_arguments

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED = 2
_MOST_BYTES = 1 << 16
_KERNEL_LISTS_CHILDREN = Path("/proc/thread-self/children").exists()  # CONFIG_PROC_CHILDREN


@dataclass(frozen=True, order=True)
class Identity:
    """One process among all that ever had its pid; ``start_ns`` is CLOCK_MONOTONIC, to 10 ms."""

    pid: int
    start_ns: int


@dataclass(frozen=True)
class Seen:
    """A process at one instant; ``reaped_cpu_ns`` is of its children that were waited for."""

    identity: Identity
    parent_pid: int
    name: str
    threads: int
    reaped_cpu_ns: int


class Family:
    """The target's first process and its descendants, orphaned ones too.

    The launcher is a subreaper, so orphans become its children; what it had for children before
    the target (services of a workload) does not count.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._others = {pid for pid in children(os.getpid()) if pid != root}
        self._suspended_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()

    def members(self) -> list[Seen]:
        """Look at all processes that are there now, parents before their children."""
        found: list[Seen] = []
        todo = [self._root, *(pid for pid in children(os.getpid()) if pid not in self._others)]
        known: set[int] = set()
        for pid in todo:
            if pid in known:
                continue
            known.add(pid)
            seen = self._look(pid)
            if seen is not None:
                found.append(seen)
                todo.extend(children(pid))
        return found

    def _look(self, pid: int) -> Seen | None:
        try:
            stat = _read(f"/proc/{pid}/stat").decode("utf-8", "replace")
        except OSError:
            return None
        # proc(5): pid (name) state ppid …; the name may hold anything, parentheses too.
        name, _, rest = stat[stat.index("(") + 1 :].rpartition(")")
        fields = rest.split()
        start_ns = int(fields[19]) * _TICK_NS - self._suspended_ns
        return Seen(
            identity=Identity(pid, start_ns),
            parent_pid=int(fields[1]),
            name=name,
            threads=int(fields[17]),
            reaped_cpu_ns=(int(fields[13]) + int(fields[14])) * _TICK_NS,
        )


def children(pid: int) -> list[int]:
    """List the children of a process, by all of its threads; none if it is gone."""
    if not _KERNEL_LISTS_CHILDREN:
        return _children_by_scan(pid)
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.scandir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found.extend(map(int, _read(thread.path + "/children").split()))
    return found


def _children_by_scan(pid: int) -> list[int]:
    import psutil

    try:
        return [one.pid for one in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def cpu_ns(pid: int) -> int | None:
    """Read the CPU time of all threads a process ever had; None once it was waited for.

    This is the clock of clock_getcpuclockid(3): exact, where /proc counts in steps of 10 ms.
    """
    try:
        return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return None


def switches(pid: int) -> dict[int, tuple[int, int]]:
    """Read the voluntary and involuntary context switches of each living thread of a process."""
    found = {}
    with contextlib.suppress(OSError):
        for thread in os.scandir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                status = _read(thread.path + "/status")
                found[int(thread.name)] = (
                    _field(status, b"\nvoluntary_ctxt_switches:"),
                    _field(status, b"\nnonvoluntary_ctxt_switches:"),
                )
    return found


def _field(status: bytes, label: bytes) -> int:
    return int(status.partition(label)[2].split(maxsplit=1)[0])


def command_line(pid: int) -> str:
    """Read what a process was started with, in a line without credentials; empty if it is gone."""
    try:
        parts = _read(f"/proc/{pid}/cmdline").rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    return " ".join(mask_arguments(tuple(part.decode("utf-8", "replace") for part in parts)))


def _read(path: str) -> bytes:
    # A third of the time that pathlib takes, and this is most of what a sample costs.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _MOST_BYTES)
    finally:
        os.close(handle)
