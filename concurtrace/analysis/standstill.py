"""Tell from what the threads of a target do at one moment that they will wait for ever.

Two signs are believed. *All wait for each other*: every thread waits, without a time limit, for
something that only another thread of the target can do. *A circle*: threads wait for locks that the
next one of them owns; whether the others still get anywhere is for the caller to find out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from concurtrace.model.states import Reason, State
from concurtrace.recording.live import LiveThread

_BLOCKED_ON_THREADS = (Reason.LOCK, Reason.JOIN, Reason.CHILD)


def waits_for_others(thread: LiveThread) -> bool:
    """Say whether only another thread of the target can end what a thread waits for.

    Waiting for a signal has no address; it comes from outside.
    """
    if thread.timed:
        return False
    if thread.state is State.GIL_BLOCKED:
        return thread.reason in _BLOCKED_ON_THREADS
    if thread.state in (State.LOCK_WAIT, State.CONDITION_WAIT):
        return bool(thread.address)
    return thread.state in (State.CHILD_WAIT, State.GIL_WAIT)


def find_circle(threads: Iterable[LiveThread]) -> tuple[LiveThread, ...]:
    """Return threads each of which waits for the next, and the last for the first; else none.

    A thread that waits for what it holds itself is no circle: that is how conditions work.
    """
    by_tid = {one.tid: one for one in threads}
    for start in by_tid.values():
        path: list[LiveThread] = []
        one: LiveThread | None = start
        while one is not None and one not in path:
            path.append(one)
            one = _awaited(one, by_tid)
        circle = path[path.index(one) :] if one is not None else []
        if len(circle) > 1 and any(_wants_lock(member) for member in circle):
            return tuple(circle)
    return ()


def _wants_lock(thread: LiveThread) -> bool:
    return thread.state is State.LOCK_WAIT or thread.reason is Reason.LOCK


def _awaited(thread: LiveThread, by_tid: Mapping[int, LiveThread]) -> LiveThread | None:
    if not waits_for_others(thread):
        return None
    # The first thread of a process has the process's number.
    return by_tid.get(thread.owner or thread.child)


def describe(circle: Sequence[LiveThread], waiting: Sequence[LiveThread]) -> str:
    """Say in one clause who waits for whom; the circle where there is one."""
    if circle:
        following = (*circle[1:], circle[0])
        return "; ".join(
            f"{one.name} ({one.tid}) waits for {_what(one)} {other.name} ({other.tid})"
            for one, other in zip(circle, following, strict=True)
        )
    told = ", ".join(f"{one.name} ({one.tid}) in {_words(one)}" for one in waiting[:_NAMED])
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    return f"every thread waits for another: {told}{more}"


_NAMED = 6


def _what(thread: LiveThread) -> str:
    if _wants_lock(thread):
        return "a lock of"
    return "the end of"


def _words(thread: LiveThread) -> str:
    return f"{thread.state.name}/{thread.reason.word}" if thread.reason.word else thread.state.name
