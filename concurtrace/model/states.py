"""The wait states: the words that recorder, rules, JSON and reports share."""

from enum import Enum


class State(Enum):
    """What a thread does; exactly one at any instant, each with one sentence for readers."""

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
