"""Estimate wait states from readings of the kernel's counters, where nothing was recorded.

Between two readings of a thread its time on cores and in the run queue are known exactly, but not
when they were; the rest is taken for a wait in what the thread slept in at the later reading.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from concurtrace.model.spans import NO_CORE, SpanFlag, Spans
from concurtrace.model.states import Reason, State

_WORDS = {
    "gil": (State.GIL_WAIT, Reason.NONE),
    "lock": (State.LOCK_WAIT, Reason.NONE),
    "net": (State.IO_WAIT, Reason.NET),
    "ipc": (State.IO_WAIT, Reason.IPC),
    "file": (State.IO_WAIT, Reason.FILE),
    "poll": (State.IO_WAIT, Reason.POLL),
    "tty": (State.IO_WAIT, Reason.TTY),
    "other": (State.IO_WAIT, Reason.OTHER),
    "sleep": (State.SLEEP, Reason.NONE),
    "child": (State.CHILD_WAIT, Reason.NONE),
    "told": (State.CONDITION_WAIT, Reason.EVENT),
}


@dataclass(frozen=True)
class Reading:
    """A thread at one moment; counters count from its start, ``stack`` is a row, 0 = none."""

    time_ns: int
    letter: str
    core: int
    on_core_ns: int
    ready_ns: int
    word: str
    stack: int = 0


@dataclass(frozen=True)
class _Piece:
    start_ns: int
    end_ns: int
    state: State
    reason: Reason
    core: int
    stack: int


def ran_ns(before: Reading, after: Reading) -> int:
    """Return how long a thread was on a core between two readings."""
    return min(max(0, after.on_core_ns - before.on_core_ns), after.time_ns - before.time_ns)


def estimate(readings: list[Reading], crowd_ns: Iterable[int]) -> Spans:
    """Estimate the spans of one thread.

    ``crowd_ns`` tells for every interval between readings the time that all threads of its process
    were on cores: what exceeds the interval can't have held the GIL.
    """
    pieces: list[_Piece] = []
    pairs = zip(readings, readings[1:], crowd_ns, strict=False)
    for before, after, together in pairs:
        for piece in _between(before, after, together):
            _add(pieces, piece)
    return _columns(pieces)


def _between(before: Reading, after: Reading, together_ns: int) -> Iterable[_Piece]:
    at, end = before.time_ns, after.time_ns
    ran = ran_ns(before, after)
    ready = min(max(0, after.ready_ns - before.ready_ns), end - at - ran)
    with_gil = ran * (end - at) // together_ns if together_ns > end - at else ran
    state, reason = _asleep(after if after.letter != "R" else before)
    steps = (
        (end - at - ran - ready, state, reason, NO_CORE),
        (ready, State.RUNNABLE, Reason.NONE, NO_CORE),
        (with_gil, State.RUNNING, Reason.NONE, after.core),
        (ran - with_gil, State.RUNNING_NOGIL, Reason.NONE, after.core),
    )
    for length, one, why, core in steps:
        if length > 0:
            yield _Piece(at, at + length, one, why, core, after.stack)
            at += length


def _asleep(reading: Reading) -> tuple[State, Reason]:
    if reading.letter in "Tt":
        return State.STOPPED, Reason.NONE
    if reading.letter == "D" and reading.word == "":
        return State.IO_WAIT, Reason.FAULT
    return _WORDS.get(reading.word, (State.UNKNOWN, Reason.NONE))


def _add(pieces: list[_Piece], piece: _Piece) -> None:
    """Append a piece, or lengthen the last one by it where it is the same."""
    if pieces:
        last = pieces[-1]
        same = (last.state, last.reason, last.core, last.stack)
        if same == (piece.state, piece.reason, piece.core, piece.stack):
            pieces[-1] = _Piece(last.start_ns, piece.end_ns, *same)
            return
    pieces.append(piece)


def _columns(pieces: list[_Piece]) -> Spans:
    held = [SpanFlag.GIL_HELD if one.state is State.RUNNING else 0 for one in pieces]
    return Spans(
        start_ns=np.array([one.start_ns for one in pieces], np.int64),
        end_ns=np.array([one.end_ns for one in pieces], np.int64),
        state=np.array([one.state.code for one in pieces], np.uint8),
        reason=np.array([one.reason.code for one in pieces], np.uint8),
        flags=np.array(held, np.uint8),
        core=np.array([one.core for one in pieces], np.int16),
        waker=np.zeros(len(pieces), np.uint32),
        stack=np.array([one.stack for one in pieces], np.uint32),
        object=np.zeros(len(pieces), np.uint32),
    )
