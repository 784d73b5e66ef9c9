"""The wait states: the words that recorder, rules, JSON and reports share."""

from enum import Enum


class State(Enum):
    """What a thread does; exactly one at any instant, each with one sentence for readers.

    ``code`` is the number of the state in columns.
    """

    RUNNING = "on a core and holding the GIL"
    RUNNING_NOGIL = "on a core without the GIL: work that really runs in parallel"
    RUNNABLE = "ready to run, but no core was free"
    GIL_WAIT = "ready to run Python, but another thread held the GIL"
    GIL_BLOCKED = "asleep in a call that kept the GIL, so every Python thread stood still"
    LOCK_WAIT = "waiting for a lock that another thread or process held"
    CONDITION_WAIT = "waiting to be told something"
    IO_WAIT = "waiting for a socket, pipe, file, or an event loop with nothing ready"
    SLEEP = "asked to sleep"
    CHILD_WAIT = "waiting for a child process"
    STOPPED = "stopped by a signal or a debugger"
    STARTING = "created, first instruction pending"
    UNKNOWN = "the residual: time that no other state explains"

    code: int

    def __init__(self, _sentence: str) -> None:
        self.code = len(type(self).__members__)


class Reason(Enum):
    """What refines a state; ``word`` is shown after a slash, ``code`` is its number in columns."""

    NONE = ""
    PYTHON = "python"
    NATIVE = "native"
    GC = "gc"
    PREEMPTED = "preempted"
    HOLDING_GIL = "holding-gil"
    WOKEN = "woken"
    THROTTLED = "throttled"
    QUEUE_EMPTY = "queue-empty"
    QUEUE_FULL = "queue-full"
    BARRIER = "barrier"
    JOIN = "join"
    FUTURE = "future"
    EVENT = "event"
    SEMAPHORE = "semaphore"
    CONDITION = "condition"
    IDLE_WORKER = "idle-worker"
    """A pool's or queue's own thread with nothing to do: an expected wait, out of rankings."""
    NET = "net"
    IPC = "ipc"
    FILE = "file"
    POLL = "poll"
    FAULT = "fault"
    TTY = "tty"
    OTHER = "other"
    LOCK = "lock"
    """What a thread in ``GIL_BLOCKED`` slept in: a lock."""
    SLEEP = "sleep"
    CHILD = "child"
    NATIVE_LOCK = "native-lock"
    """A lock of a native library, not one of Python."""

    code: int

    def __init__(self, word: str) -> None:
        self.word = word
        self.code = len(type(self).__members__)


STATES: tuple[State, ...] = tuple(State)
"""States by ``code``."""
REASONS: tuple[Reason, ...] = tuple(Reason)
"""Reasons by ``code``."""
