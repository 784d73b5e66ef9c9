"""What the threads of a running target do at this moment, from the recorder's files.

The recorder keeps the present state of every thread in the thread's slot, beside what it has
recorded. Reading it costs the target nothing.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from concurtrace.model.states import Reason, State
from concurtrace.recording import layout

_MOST_CHUNKS = 4096
_TIMED = 2
"""``in_call`` of a wait that ends by itself after some time."""


@dataclass(frozen=True)
class LiveThread:
    """A thread as it is now; 0 where a thread, lock or child it waits for is not known.

    ``since_ns`` is CLOCK_MONOTONIC; ``timed`` says that the wait ends by itself; ``fd`` is the
    descriptor that it waits for, -1 if there is none.
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


def read_live(folder: Path) -> dict[int, tuple[LiveThread, ...]]:
    """Read the threads of every process that has a file and has not ended, by pid.

    A file that vanishes or is begun meanwhile is left out: it will be there at the next look.
    """
    found = {}
    for path in sorted(folder.glob("*.ctr")):
        pid = path.name.partition("-")[0]
        if not pid.isdigit():
            continue
        threads = _threads(path, int(pid))
        if threads:
            found[int(pid)] = threads
    return found


def _threads(path: Path, pid: int) -> tuple[LiveThread, ...]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ()
    try:
        head = os.pread(handle, layout.CHUNK_SIZE, 0)
        if len(head) < layout.CHUNK_SIZE or not head.startswith(layout.MAGIC):
            return ()
        header: Any = np.frombuffer(head, layout.HEADER, 1)[0]
        if header["status"] != layout.ALIVE:
            return ()
        chunks = _chunks(handle, int(header["first_threads"]))
        return tuple(_live(pid, slot) for chunk in chunks for slot in _slots(chunk))
    finally:
        os.close(handle)


def _chunks(handle: int, number: int) -> Iterator[bytes]:
    for _ in range(_MOST_CHUNKS):
        chunk = os.pread(handle, layout.CHUNK_SIZE, number * layout.CHUNK_SIZE) if number else b""
        if len(chunk) < layout.CHUNK_SIZE:
            return
        yield chunk
        number = int(np.frombuffer(chunk, layout.CHUNK, 1)["next"][0])


def _slots(chunk: bytes) -> Any:
    used = min(int(np.frombuffer(chunk, layout.CHUNK, 1)["used"][0]), layout.SLOTS_PER_CHUNK)
    slots = np.frombuffer(chunk, layout.SLOT, used, layout.CHUNK_HEADER)
    wanted = layout.T_USED | layout.T_ENDED | layout.T_REST
    return slots[(slots["flags"] & wanted) == layout.T_USED]


def _live(pid: int, slot: Any) -> LiveThread:
    states = layout.STATE_OF
    state = int(slot["state"])
    return LiveThread(
        pid=pid,
        tid=int(slot["tid"]),
        name=slot["name"].decode("utf-8", "replace"),
        state=states[state] if state < len(states) else State.UNKNOWN,
        reason=layout.REASON_OF.get(int(slot["reason"]), Reason.NONE),
        since_ns=int(slot["since_ns"]),
        timed=int(slot["in_call"]) == _TIMED,
        address=int(slot["wait_address"]),
        owner=int(slot["wait_owner"]),
        child=int(slot["wait_pid"]),
        fd=int(slot["wait_fd"]),
    )
