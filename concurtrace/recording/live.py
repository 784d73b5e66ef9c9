"""What the threads of a running target do at this moment, from the recorder's files.

The recorder keeps the present state of every thread in the thread's slot, beside what it has
recorded. Reading it costs the target nothing.
"""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.states import Reason, State
from concurtrace.recording import layout

_MOST_CHUNKS = 4096
_TIMED = 2
"""``in_call`` of a wait that ends by itself after some time."""
_TRIES = 4
_TICK_SLACK_NS = 20_000_000
"""The kernel tells the start of a process in ticks of 10 ms."""


@dataclass(frozen=True)
class LiveThread:
    """A thread as it is now; 0 where a thread, lock or child it waits for is not known.

    ``since_ns`` is CLOCK_MONOTONIC; ``timed`` says that the wait ends by itself; ``fd`` is the
    descriptor that it waits for, -1 if there is none. ``totals_ns`` are those of the spans that
    have ended, by state.
    """

    pid: int
    tid: int
    name: str
    state: State
    reason: Reason
    since_ns: int
    timed: bool
    address: int
    owner: int
    child: int
    fd: int
    start_ns: int = 0
    holds_gil: bool = False
    totals_ns: Mapping[State, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveProcess:
    """A process whose file does not say that it has ended; ``path`` is that file."""

    path: Path
    pid: int
    start_ns: int
    has_gil: bool
    threads: tuple[LiveThread, ...]


def read_live(folder: Path) -> tuple[LiveProcess, ...]:
    """Read every process that has a file, threads in it, and has not written that it ended.

    A file that vanishes or is begun meanwhile is left out: it will be there at the next look. One
    of a process that was killed goes on to look alive; see ``is_running``.
    """
    found = [_process(path) for path in sorted(folder.glob("*-*.ctr"))]
    return tuple(one for one in found if one is not None and one.threads)


def is_running(pid: int, start_ns: int) -> bool:
    """Tell whether the process that had this number at a CLOCK_MONOTONIC time still runs."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    fields = text.rpartition(b")")[2].split()
    began_ns = int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    asleep_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
    return fields[0] not in (b"Z", b"X") and began_ns <= start_ns + asleep_ns + _TICK_SLACK_NS


def _process(path: Path) -> LiveProcess | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        head = os.pread(handle, layout.CHUNK_SIZE, 0)
        if len(head) < layout.CHUNK_SIZE or not head.startswith(layout.MAGIC):
            return None
        header: Any = np.frombuffer(head, layout.HEADER, 1)[0]
        if header["status"] != layout.ALIVE:
            return None
        pid = int(header["pid"])
        slots = _slots(handle, int(header["first_threads"]))
        threads = tuple(_live(pid, slot) for part in slots for slot in part)
        has_gil = not header["flags"] & layout.H_FREE_THREADED
        return LiveProcess(path, pid, int(header["start_ns"]), bool(has_gil), threads)
    finally:
        os.close(handle)


def read_chunk(handle: int, number: int) -> bytes | None:
    """Read a chunk of an open process file; None where there is none."""
    chunk = os.pread(handle, layout.CHUNK_SIZE, number * layout.CHUNK_SIZE) if number else b""
    return chunk if len(chunk) == layout.CHUNK_SIZE else None


def _slots(handle: int, number: int) -> Iterator[NDArray[Any]]:
    for _ in range(_MOST_CHUNKS):
        chunk = read_chunk(handle, number)
        if chunk is None:
            return
        head = np.frombuffer(chunk, layout.CHUNK, 1)[0]
        slots = _settled(handle, number, _in_use(chunk))
        wanted = layout.T_USED | layout.T_ENDED | layout.T_REST
        yield slots[(slots["flags"] & wanted) == layout.T_USED]
        number = int(head["next"])


def _in_use(chunk: bytes) -> NDArray[Any]:
    used = int(np.frombuffer(chunk, layout.CHUNK, 1)["used"][0])
    return np.frombuffer(chunk, layout.SLOT, min(used, layout.SLOTS_PER_CHUNK), layout.CHUNK_HEADER)


def _settled(handle: int, number: int, slots: NDArray[Any]) -> NDArray[Any]:
    """Read slots again that were changed while they were read; a few times at most."""
    for _ in range(_TRIES):
        chunk = read_chunk(handle, number)
        if chunk is None:
            break
        again = _in_use(chunk)[: len(slots)]
        moved = (slots["seq"] != again["seq"]) | (slots["seq"] % 2 == 1)
        if not moved.any():
            break
        slots = slots.copy()
        slots[moved] = again[moved]
    return slots


def _live(pid: int, slot: Any) -> LiveThread:
    states = layout.STATE_OF
    state = int(slot["state"])
    return LiveThread(
        pid=pid,
        tid=int(slot["tid"]),
        name=slot["name"].partition(b"\0")[0].decode("utf-8", "replace"),
        state=states[state] if state < len(states) else State.UNKNOWN,
        reason=layout.REASON_OF.get(int(slot["reason"]), Reason.NONE),
        since_ns=int(slot["since_ns"]),
        timed=int(slot["in_call"]) == _TIMED,
        address=int(slot["wait_address"]),
        owner=int(slot["wait_owner"]),
        child=int(slot["wait_pid"]),
        fd=int(slot["wait_fd"]),
        start_ns=int(slot["start_ns"]),
        holds_gil=bool(slot["gil_taken_ns"]),
        totals_ns=dict(zip(states, slot["states"]["total_ns"].tolist(), strict=False)),
    )
