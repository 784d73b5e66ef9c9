"""The kernel's own account of every thread, as the watcher kept it: ends and CPU time."""

from collections import defaultdict
from typing import Any

from concurtrace.recording.switches import Tasks

_EXITED = 2
_SLACK_NS = 100_000_000
"""A thread that the watcher found by looking is there up to so long before it is found."""


class TaskList:
    """Looks tasks up by tid and time; empty where nothing was watched."""

    def __init__(self, tasks: Tasks | None) -> None:
        self._by_tid: dict[int, list[Any]] = defaultdict(list)
        for task in () if tasks is None else tasks:
            self._by_tid[int(task["tid"])].append(task)

    def _find(self, tid: int, from_ns: int, to_ns: int) -> Any | None:
        """Find the task that lived between two times; None if there is none, or several."""
        found = [
            task
            for task in self._by_tid.get(tid, ())
            if int(task["start_ns"]) <= to_ns + _SLACK_NS
            and (int(task["end_ns"]) or 1 << 62) >= from_ns
        ]
        return found[0] if len(found) == 1 else None

    def end_of(self, pid: int, start_ns: int) -> int | None:
        """Return when the first thread of a process ended; None if that is not known."""
        task = self._find(pid, start_ns, start_ns)
        if task is None or not int(task["flags"]) & _EXITED:
            return None
        return int(task["end_ns"])

    def cpu_of(self, tid: int, start_ns: int, end_ns: int) -> int | None:
        """Return the time that a thread was on cores, from all its switches; None if not known."""
        task = self._find(tid, start_ns, end_ns)
        return None if task is None or not int(task["on_cpu_ns"]) else int(task["on_cpu_ns"])
