"""Threads of a recording on their way from a slot and its records to a row of the trace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import NO_CORE, Folds, SpanFlag, Spans
from concurtrace.model.states import State
from concurtrace.model.trace import Thread, ThreadEnd
from concurtrace.recording import layout, totals
from concurtrace.recording.spans import ThreadSpans

_LATE_NS = 3_600_000_000_000
"""What ends that much later than its process can only be damage."""


@dataclass
class Draft:
    """A thread whose spans are decoded and still being worked on, in ``parts``."""

    row: int
    process: int
    slot: NDArray[Any]
    name: str
    start_ns: int
    end_ns: int
    parts: list[Spans]
    folds: list[Folds]
    folded: totals.Sums
    dropped: int
    cpu_ns: int | None = None

    @property
    def tid(self) -> int:
        """The kernel's number of the thread."""
        return int(self.slot["tid"])


def bound_ns(process_end_ns: int) -> int:
    """Return the latest time that a record of a process may lie at."""
    return process_end_ns + _LATE_NS


@dataclass(frozen=True)
class KnownThreads:
    """What else is known of the threads of a process.

    ``names`` by tid; ``last_stacks`` are rows of the stack table by ``threading.get_ident()``,
    ``locks`` rows of the objects by the address that a thread waits at.
    """

    names: Mapping[int, str]
    last_stacks: Mapping[int, int]
    locks: Mapping[int, int]


def draft(
    row: int,
    process: int,
    slot: Any,
    decoded: ThreadSpans,
    image_ns: tuple[int, int],
    known: KnownThreads,
) -> Draft:
    """Begin a thread; ``image_ns`` are the start and end of the program that it ran in."""
    start = _within(int(slot["start_ns"]), *image_ns)
    told_end = int(slot["end_ns"]) if slot["flags"] & layout.T_ENDED else image_ns[1]
    end = min(told_end, bound_ns(image_ns[1])) if told_end > start else image_ns[1]
    parts = decoded.parts
    if parts:
        # Threads are made before the first thing they do, and end after the last.
        start, end = min(start, int(parts[0].start_ns[0])), max(end, int(parts[-1].end_ns[-1]))
    tid = int(slot["tid"])
    own_name = slot["name"].partition(b"\0")[0].decode("utf-8", "replace")
    made = Draft(
        row=row,
        process=process,
        slot=slot,
        name=known.names.get(tid) or own_name or f"thread {tid}",
        start_ns=start,
        end_ns=max(end, start),
        parts=parts,
        folds=[decoded.folds] if len(decoded.folds) else [],
        folded=totals.folded_of(slot),
        dropped=decoded.dropped,
    )
    _close(made, known)
    _keep_folds(made, decoded.folds)
    return made


def _within(time_ns: int, low_ns: int, high_ns: int) -> int:
    return min(max(time_ns, low_ns), high_ns)


def _close(made: Draft, known: KnownThreads) -> None:
    """Add the span that was open when the recording of the thread stopped."""
    slot = made.slot
    if slot["flags"] & layout.T_ENDED:
        return
    last = int(made.parts[-1].end_ns[-1]) if made.parts else made.start_ns
    since = max(int(slot["since_ns"]), last)
    if since < made.end_ns:
        made.parts.append(_open_span(slot, since, made.end_ns, known))


def _open_span(slot: Any, since_ns: int, end_ns: int, known: KnownThreads) -> Spans:
    state = layout.STATE_CODES[slot["state"]]
    held = SpanFlag.GIL_HELD if slot["gil_held"] else 0
    return Spans(
        start_ns=np.array([since_ns], np.int64),
        end_ns=np.array([end_ns], np.int64),
        state=np.array([state], np.uint8),
        reason=np.array([layout.REASON_CODES[slot["reason"]]], np.uint8),
        flags=np.array([held], np.uint8),
        core=np.array([NO_CORE], np.int16),
        waker=np.zeros(1, np.uint32),
        stack=np.array([known.last_stacks.get(int(slot["pthread"]), 0)], np.uint32),
        object=np.array([known.locks.get(int(slot["wait_address"]), 0)], np.uint32),
    )


def _keep_folds(made: Draft, told: Folds) -> None:
    """Believe the folded totals as far as the thread's lifetime has room for them."""
    stored = sum(int(part.dur_ns.sum()) for part in made.parts)
    if stored + int(made.folded.ns.sum()) > made.end_ns - made.start_ns:
        # A kill between the total and the end of the span counts a last one twice, no more.
        _shorten_open(made, stored + int(made.folded.ns.sum()) - (made.end_ns - made.start_ns))
    rest = totals.untold_folds(made.folded, told, made.row, made.start_ns, made.end_ns)
    if rest is not None:
        made.folds.append(rest)


def _shorten_open(made: Draft, excess_ns: int) -> None:
    last = made.parts[-1] if made.parts else None
    is_open = not made.slot["flags"] & layout.T_ENDED
    if last is not None and is_open and int(last.dur_ns[-1]) >= excess_ns:
        last.start_ns[-1] += excess_ns
        return
    made.folded = totals.Sums(np.zeros_like(made.folded.ns), np.zeros_like(made.folded.count))
    made.folds.clear()
    made.dropped += 1


def _ended(flags: int) -> ThreadEnd:
    if not flags & layout.T_ENDED:
        return ThreadEnd.ALIVE
    return ThreadEnd.STOPPED if flags & layout.T_STOPPED else ThreadEnd.RETURNED


def finish(made: Draft, first: int, last: int) -> Thread:
    """Make the row of the trace; its spans are rows ``first`` to ``last`` of the columns."""
    size = len(made.folded.ns)
    stored = totals.Sums(np.zeros(size, np.int64), np.zeros(size, np.int64))
    for part in made.parts:
        stored += totals.sums_of(part)
    slot, flags = made.slot, int(made.slot["flags"])
    open_wait = 0
    if not flags & layout.T_ENDED and made.parts:
        tail = made.parts[-1]
        if tail.state[-1] == State.GIL_WAIT.code:
            open_wait = int(tail.dur_ns[-1])
    return Thread(
        tid=made.tid,
        process=made.process,
        name=made.name,
        start_ns=made.start_ns,
        end_ns=made.end_ns,
        first=first,
        last=last,
        totals=totals.complete(stored, made.folded, made.end_ns - made.start_ns),
        gil=totals.gil_use(slot, made.end_ns, open_wait),
        is_main=bool(flags & layout.T_MAIN),
        ended=_ended(flags),
        runs_python=bool(flags & layout.T_PYTHON),
        creator_tid=int(slot["creator_tid"]),
        cpu_ns=cpu_ns(made),
        major_faults=int(slot["major_faults"]) if slot["cpu_read_ns"] else None,
    )


def cpu_ns(made: Draft) -> int | None:
    """The thread's own reading at its end; else the watcher's."""
    slot = made.slot
    if slot["flags"] & layout.T_ENDED and slot["cpu_read_ns"]:
        return int(slot["cpu_ns"])
    return made.cpu_ns
