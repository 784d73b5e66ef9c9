"""Which Python primitive a thread waits in, told from the stack of the waiter.

The outermost named primitive of the standard library decides, since the calls below it are only
its mechanism: a thread in ``Queue.get`` waits for an item, whatever lock or pipe it sleeps on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.recording import Function
from concurtrace.model.spans import SpanFlag, Spans, Stacks
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import WaitObject


class Reach(Enum):
    """Which waits inside a primitive are the primitive's own."""

    TOLD = "waits to be told; a lock wait inside is one for the primitive's own lock"
    LOCKS = "lock waits too: the primitive is made of locks alone"
    READS = "waits for input too: it is made of a pipe"
    WRITES = "waits for room in a pipe too"


@dataclass(frozen=True)
class Primitive:
    """A named wait: what a thread inside it is said to do."""

    state: State
    reason: Reason
    reach: Reach


def _told(reason: Reason, reach: Reach = Reach.TOLD) -> Primitive:
    return Primitive(State.CONDITION_WAIT, reason, reach)


_IDLE = _told(Reason.IDLE_WORKER, Reach.READS)
_PROCESS_JOIN = Primitive(State.CHILD_WAIT, Reason.NONE, Reach.READS)

# Where a pool's worker (or its helper thread) waits for something to do. What it runs for others
# passes through the frames in _RUNS_WORK or through a file of its own.
_PRIMITIVES: dict[str, dict[str, Primitive]] = {
    "threading": {
        "Thread.join": _told(Reason.JOIN, Reach.LOCKS),
        "_shutdown": _told(Reason.JOIN, Reach.LOCKS),
        "Condition.wait": _told(Reason.CONDITION),
        "Condition.wait_for": _told(Reason.CONDITION),
        "Event.wait": _told(Reason.EVENT),
        "Semaphore.acquire": _told(Reason.SEMAPHORE),
        "Barrier.wait": _told(Reason.BARRIER),
    },
    "queue": {
        "Queue.get": _told(Reason.QUEUE_EMPTY),
        "Queue.put": _told(Reason.QUEUE_FULL),
        "Queue.join": _told(Reason.JOIN),
        "_PySimpleQueue.get": _told(Reason.QUEUE_EMPTY),
    },
    "concurrent/futures/_base": {
        "Future.result": _told(Reason.FUTURE),
        "Future.exception": _told(Reason.FUTURE),
        "wait": _told(Reason.FUTURE),
        "as_completed": _told(Reason.FUTURE),
    },
    "concurrent/futures/thread": {"_worker": _IDLE},
    "concurrent/futures/process": {
        "_process_worker": _IDLE,
        "_ExecutorManagerThread.wait_result_broken_or_wakeup": _IDLE,
    },
    "multiprocessing/queues": {
        "Queue.get": _told(Reason.QUEUE_EMPTY, Reach.READS),
        "Queue.put": _told(Reason.QUEUE_FULL, Reach.LOCKS),
        "Queue._feed": _IDLE,
        "JoinableQueue.put": _told(Reason.QUEUE_FULL, Reach.LOCKS),
        "JoinableQueue.join": _told(Reason.JOIN, Reach.LOCKS),
        "SimpleQueue.get": _told(Reason.QUEUE_EMPTY, Reach.READS),
        "SimpleQueue.put": _told(Reason.QUEUE_FULL, Reach.WRITES),
    },
    "multiprocessing/pool": {
        "worker": _IDLE,
        "Pool._handle_workers": _IDLE,
        "Pool._handle_tasks": _IDLE,
        "Pool._handle_results": _IDLE,
        "Pool.join": _told(Reason.JOIN, Reach.LOCKS),
        "ApplyResult.wait": _told(Reason.FUTURE),
        "ApplyResult.get": _told(Reason.FUTURE),
        "IMapIterator.next": _told(Reason.FUTURE),
    },
    "multiprocessing/process": {"BaseProcess.join": _PROCESS_JOIN},
    "multiprocessing/synchronize": {
        "Condition.wait": _told(Reason.CONDITION, Reach.LOCKS),
        "Condition.wait_for": _told(Reason.CONDITION, Reach.LOCKS),
        "Event.wait": _told(Reason.EVENT, Reach.LOCKS),
    },
    "multiprocessing/forkserver": {"main": _IDLE},
}

# Standard-library frames that call what a user gave them: what waits below is the user's.
_RUNS_WORK = frozenset(
    (
        "_WorkItem.run",
        "mapstar",
        "starmapstar",
        "_process_chunk",
        "Thread.run",
        "BaseProcess.run",
        "_serve_one",
        "Handle._run",
        "Finalize.__call__",
    )
)
# Frames whose own lock wait is what it looks like, also inside a primitive.
_TAKES_LOCK = frozenset(("Condition.__enter__", "Condition._acquire_restore"))

_STANDARD = re.compile(r"/python\d+\.\d+t?/(?!(?:site|dist)-packages/)(.+)\.py$|^<frozen ")


def standard_module(file: str) -> str | None:
    """Name the module of the standard library that a file is, as a path; None if it is none.

    Modules frozen into the interpreter are named ``frozen``.
    """
    match = _STANDARD.search(file)
    return None if match is None else match.group(1) or "frozen"


def _tells_of_an_end(function: Function) -> bool:
    """Whether a function makes the lock that a thread holds until it ends (up to 3.12)."""
    is_threading = standard_module(function.file) == "threading"
    return is_threading and function.name == "Thread._set_tstate_lock"


class _Kind(Enum):
    """What a function means for the waits of those it calls."""

    NEUTRAL = 0
    WORK = 1
    LOCK = 2


def _kind(function: Function) -> _Kind | Primitive:
    module = standard_module(function.file)
    if module is None:
        return _Kind.WORK
    found = _PRIMITIVES.get(module, {}).get(function.name)
    if found is not None:
        return found
    if function.name in _TAKES_LOCK:
        return _Kind.LOCK
    return _Kind.WORK if function.name in _RUNS_WORK else _Kind.NEUTRAL


def waited_in(stacks: Stacks) -> list[Primitive | None]:
    """Tell for every stack the primitive that a thread sleeping there waits in; None if none."""
    kinds = [_kind(function) for function in stacks.functions]
    count = len(stacks.parent)
    found: list[Primitive | None] = [None] * count
    shown: list[Primitive | None] = [None] * count
    parents, codes = stacks.parent.tolist(), stacks.code.tolist()
    # A row's parent comes before it: the table is filled from the outermost frame inwards.
    for row in range(1, count):
        kind = kinds[codes[row]]
        outer = found[parents[row]]
        if isinstance(kind, Primitive):
            # A worker that can't hand on its result is not idle.
            idle = outer is _IDLE and kind.reason is Reason.QUEUE_FULL
            found[row] = shown[row] = kind if outer is None or idle else outer
        elif kind is _Kind.NEUTRAL:
            found[row] = shown[row] = outer
        elif kind is _Kind.LOCK:
            found[row] = outer
    return shown


class Refiner:
    """Replaces the states and reasons of waits by those of the primitives waited in."""

    def __init__(self, stacks: Stacks, objects: Sequence[WaitObject] = ()) -> None:
        waits = waited_in(stacks)
        ends = np.array([_tells_of_an_end(function) for function in stacks.functions])
        made = np.array([one.created_stack for one in objects] or [0], np.uint32)
        # Waits too short for a stack of their own still name the lock.
        self._joins = ends[stacks.code[made]]
        told = State.CONDITION_WAIT.code
        self._state = np.array([w.state.code if w else told for w in waits], np.uint8)
        self._reason = np.array([w.reason.code if w else 0 for w in waits], np.uint8)
        reach = [w.reach if w else None for w in waits]
        self._named = np.array([one is not None for one in reach])
        self._locks = np.array([one not in (None, Reach.TOLD) for one in reach])
        self._reads = np.array([one is Reach.READS for one in reach])
        self._writes = np.array([one is Reach.WRITES for one in reach])

    def refine(self, spans: Spans) -> NDArray[np.bool_]:
        """Change ``state`` and ``reason`` in place where a primitive is known; tell which."""
        state, stack = spans.state, spans.stack
        writes = (spans.flags & SpanFlag.WRITE) != 0
        io = np.where(writes, self._writes[stack], self._reads[stack])
        changed: NDArray[np.bool_] = self._named[stack] & (state == State.CONDITION_WAIT.code)
        changed |= self._locks[stack] & (state == State.LOCK_WAIT.code)
        changed |= io & (state == State.IO_WAIT.code)
        spans.state[changed] = self._state[stack[changed]]
        spans.reason[changed] = self._reason[stack[changed]]
        joins: NDArray[np.bool_] = self._joins[spans.object] & (state == State.LOCK_WAIT.code)
        spans.state[joins] = State.CONDITION_WAIT.code
        spans.reason[joins] = Reason.JOIN.code
        return changed | joins
