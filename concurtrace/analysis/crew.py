"""Crews: threads or processes that share one kind of work, told by their names and parents."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.recording import Function
from concurtrace.model.spans import Stacks, Times
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Thread, Trace
from concurtrace.recording.reasons import standard_module

_NUMBERS = re.compile(r"[\d_-]+")
_DOES = (
    State.RUNNING,
    State.RUNNING_NOGIL,
    State.RUNNABLE,
    State.GIL_WAIT,
    State.IO_WAIT,
    State.SLEEP,
    State.LOCK_WAIT,
    State.GIL_BLOCKED,
)
_LONG_ENOUGH_NS = 1_000_000
"""What a worker does for less, as it winds up, is not its work."""


@dataclass(frozen=True)
class Crew:
    """Threads that do the same kind of work: threads of one process, or a process's children."""

    name: str
    rows: tuple[int, ...]
    threads: tuple[Thread, ...]
    of_processes: bool


def crews(trace: Trace) -> tuple[Crew, ...]:
    """Find the crews of two or more, the largest first."""
    groups: dict[tuple[str, int, str, str], list[int]] = defaultdict(list)
    for row, one in enumerate(trace.threads):
        process = trace.processes[one.process]
        if one.lifetime_ns <= 0 or not one.runs_python:
            continue
        if not one.is_main:
            groups["threads", one.process, _stem(one.name), _function(one.name)].append(row)
        elif process.parent is not None:
            groups["processes", process.parent, _stem(process.name), ""].append(row)
    found = [
        Crew(stem, tuple(rows), tuple(trace.threads[row] for row in rows), kind == "processes")
        for (kind, _, stem, _), rows in groups.items()
        if len(rows) > 1
    ]
    return tuple(sorted(found, key=lambda one: (-len(one.rows), one.name)))


def _stem(name: str) -> str:
    """Take numbers, and what a thread's function is called, off a name."""
    return _NUMBERS.sub("", name.partition(" (")[0]) or name


def _function(name: str) -> str:
    """Return what a thread's function is called, where its name says so: ``Thread-1 (load)``."""
    return name.partition(" (")[2]


def last_busy_ns(trace: Trace, crew: Crew) -> Times:
    """Return when each of a crew last did something; its start where it never did."""
    spans = trace.spans
    busy = spans.in_state(*_DOES) & (spans.dur_ns >= _LONG_ENOUGH_NS)
    busy &= (spans.reason != Reason.IPC.code) & (spans.reason != Reason.IDLE_WORKER.code)
    found = []
    for one in crew.threads:
        mine = np.flatnonzero(busy[one.first : one.last])
        found.append(int(spans.end_ns[one.first + mine[-1]]) if len(mine) else one.start_ns)
    return np.array(found, np.int64)


_POOLS = frozenset(
    (
        ("concurrent/futures/thread", "_worker"),
        ("concurrent/futures/process", "_process_worker"),
        ("multiprocessing/pool", "worker"),
    )
)


def within(stacks: Stacks, chosen: Callable[[Function], bool]) -> NDArray[np.bool_]:
    """Tell which stacks hold a frame of a chosen function."""
    own = np.array([chosen(one) for one in stacks.functions], bool)[stacks.code]
    found = np.zeros(len(own), bool)
    parents = stacks.parent.tolist()
    # A row's parent comes before it: the table is filled from the outermost frame inwards.
    for row in range(1, len(own)):
        found[row] = own[row] or found[parents[row]]
    return found


def pool_workers(trace: Trace) -> NDArray[np.bool_]:
    """Tell which threads are workers of a pool of the standard library, by their stacks."""
    pooled = within(trace.stacks, lambda one: (standard_module(one.file), one.name) in _POOLS)
    rows = trace.span_threads[pooled[trace.spans.stack]]
    found = np.zeros(len(trace.threads), bool)
    found[rows] = True
    return found


_MESSAGES = (
    "multiprocessing/connection",
    "multiprocessing/queues",
    "multiprocessing/reduction",
    "multiprocessing/managers",
    "pickle",
)


def message_stacks(stacks: Stacks) -> NDArray[np.bool_]:
    """Tell which stacks are inside of what passes messages between processes."""
    return within(stacks, lambda one: standard_module(one.file) in _MESSAGES)


_SENDS = re.compile(r"(^|[._])(send|put|dump|_feed)")


def sending_stacks(stacks: Stacks) -> NDArray[np.bool_]:
    """Tell which stacks are inside of what packs messages to other processes, or sends them."""
    return within(
        stacks,
        lambda one: standard_module(one.file) in _MESSAGES and _SENDS.search(one.name) is not None,
    )


_IMPORTS = ("_find_and_load", "import_module", "_call_with_frames_removed")


def import_stacks(stacks: Stacks) -> NDArray[np.bool_]:
    """Tell which stacks are inside of an import, the tool's own left out."""
    found = within(
        stacks, lambda one: standard_module(one.file) == "frozen" and one.name in _IMPORTS
    )
    found &= ~within(stacks, lambda one: "/concurtrace/launch/" in one.file)
    return found


_HELPS = (
    "concurrent/futures/thread",
    "concurrent/futures/process",
    "concurrent/futures/_base",
    "multiprocessing/pool",
    "multiprocessing/connection",
    "multiprocessing/queues",
    "multiprocessing/reduction",
    "multiprocessing/synchronize",
    "pickle",
    "queue",
    "threading",
)
_THE_POOL_ITSELF = _HELPS[:4]


def handing_stacks(stacks: Stacks) -> NDArray[np.bool_]:
    """Tell which stacks end in a pool's own code, or in what it calls to hand on work."""
    modules = [standard_module(one.file) for one in stacks.functions]
    helps = np.array([one in _HELPS for one in modules], bool)[stacks.code]
    pool = np.array([one in _THE_POOL_ITSELF for one in modules], bool)[stacks.code]
    found = np.zeros(len(pool), bool)
    parents = stacks.parent.tolist()
    # A row's parent comes before it. Work that a pool calls is the user's and ends the chain.
    for row in range(1, len(pool)):
        found[row] = pool[row] or (helps[row] and found[parents[row]])
    return found
