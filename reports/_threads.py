"""The threads of a run as rows: one each, or together by name where there are many."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from concurtrace.model.masking import mask_text
from concurtrace.model.report import ProcessReport, StatesReport, ThreadReport
from concurtrace.model.states import State

from ._text import printable, shorten

_NAME_LIMIT = 60
_DIGITS = re.compile(r"\d+")
ANY = "another thread"
"""Who was waited for where the recording doesn't say."""


@dataclass(frozen=True)
class ThreadRow:
    """Threads that are told together: one, or all of one kind of name.

    ``process`` and ``name`` are labels. ``waited_for`` holds names and the time that waits for
    the GIL lasted until such a thread let go of it, longest first.
    """

    process: str
    name: str
    members: tuple[ThreadReport, ...]
    waited_for: tuple[tuple[str, int], ...]

    @property
    def label(self) -> str:
        """Its name, and how many threads are meant where it isn't one."""
        many = len(self.members)
        return self.name if many == 1 else f"{self.name}: {many} threads"

    @property
    def lifetime_ns(self) -> int:
        """How long they lived together."""
        return sum(one.end_ns - one.start_ns for one in self.members)

    @property
    def states(self) -> dict[State, int]:
        """Time per state, over all members."""
        sums: dict[State, int] = {}
        for one in self.members:
            for state, ns in one.states.items():
                sums[state] = sums.get(state, 0) + ns
        return sums

    @property
    def cpu_ns(self) -> int | None:
        """CPU time by the kernel's own figure; None where that of any member is not known."""
        known = [one.cpu_ns for one in self.members if one.cpu_ns is not None]
        return sum(known) if len(known) == len(self.members) else None

    @property
    def idle_ns(self) -> int:
        """How long pool workers among them had nothing to do."""
        return sum(one.idle_ns for one in self.members)


def thread_rows(states: StatesReport, most: int) -> tuple[ThreadRow, ...]:
    """List the threads in order of process and start; together by name if more than ``most``.

    Threads whose names differ in numbers alone are of one kind, as are processes. Still more
    kinds than ``most`` leave the longest-lived; ``left_out`` says how many threads that hides.
    """
    singly = sum(len(process.threads) for process in states.processes) <= most
    if singly:
        return tuple(
            ThreadRow(process_name(process), thread_name(one), (one,), _waited(process, [one], str))
            for process in states.processes
            for one in process.threads
        )
    rows = _together(states)
    kept = set(map(id, sorted(rows, key=lambda row: -row.lifetime_ns)[:most]))
    return tuple(row for row in rows if id(row) in kept)


def left_out(states: StatesReport, rows: Iterable[ThreadRow]) -> int:
    """Count the threads that are in none of the rows."""
    shown = sum(len(row.members) for row in rows)
    return sum(len(process.threads) for process in states.processes) - shown


def process_name(process: ProcessReport) -> str:
    """Name a process with its pid."""
    return f"{_name(process)} ({process.pid})"


def _name(process: ProcessReport) -> str:
    """Name a process by what it runs, which may be code given as an argument."""
    return shorten(printable(mask_text(process.name)), _NAME_LIMIT)


def thread_name(thread: ThreadReport) -> str:
    """Name a thread; by its tid where it has no name."""
    return shorten(printable(thread.name), _NAME_LIMIT) or f"thread {thread.tid}"


def _kind(name: str) -> str:
    return _DIGITS.sub("N", name)


def _together(states: StatesReport) -> list[ThreadRow]:
    processes: dict[str, list[ProcessReport]] = {}
    for process in states.processes:
        name = _name(process)
        processes.setdefault(_kind(name), []).append(process)
    rows: list[ThreadRow] = []
    for kind, alike in processes.items():
        label = process_name(alike[0]) if len(alike) == 1 else f"{kind}: {len(alike)} processes"
        threads: dict[str, list[tuple[ProcessReport, ThreadReport]]] = {}
        for process in alike:
            for one in process.threads:
                threads.setdefault(_kind(thread_name(one)), []).append((process, one))
        rows.extend(_row(label, name, members) for name, members in threads.items())
    return rows


def _row(label: str, name: str, members: list[tuple[ProcessReport, ThreadReport]]) -> ThreadRow:
    if len(members) == 1:
        name = thread_name(members[0][1])
    waited: dict[str, int] = {}
    by_process: dict[int, tuple[ProcessReport, list[ThreadReport]]] = {}
    for process, one in members:
        by_process.setdefault(id(process), (process, []))[1].append(one)
    for process, mine in by_process.values():
        for other, ns in _waited(process, mine, _kind):
            waited[other] = waited.get(other, 0) + ns
    return ThreadRow(label, name, tuple(one for _, one in members), _ranked(waited))


def _waited(
    process: ProcessReport, threads: Iterable[ThreadReport], called: Callable[[str], str]
) -> tuple[tuple[str, int], ...]:
    """Add up what threads of one process waited for the GIL, by who had it."""
    names = {one.tid: called(thread_name(one)) for one in process.threads}
    sums: dict[str, int] = {}
    for thread in threads:
        for pair in thread.gil.waited_for:
            name = names.get(pair.tid, ANY)
            sums[name] = sums.get(name, 0) + pair.ns
    return _ranked(sums)


def _ranked(sums: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(sums.items(), key=lambda one: (-one[1], one[0])))
