"""What the Python runtime of a process did beside the program's own work, and its queues."""

from __future__ import annotations

from dataclasses import dataclass

GENERATIONS = 3


@dataclass(frozen=True)
class Generation:
    """Runs of the garbage collector over one generation, in one process since its work began.

    ``ns`` is with the GIL held, ``freed`` counts objects that were found unreachable.
    """

    count: int = 0
    ns: int = 0
    longest_ns: int = 0
    freed: int = 0

    def __add__(self, other: Generation) -> Generation:
        return Generation(
            self.count + other.count,
            self.ns + other.ns,
            max(self.longest_ns, other.longest_ns),
            self.freed + other.freed,
        )


@dataclass(frozen=True)
class QueueLengths:
    """Readings of how many items were in a queue of one process: only of queues that grew long.

    ``process`` is a row of ``Trace.processes``, ``created_stack`` one of ``Trace.stacks``. Of each
    reading there are the time, the items in the queue, and how many were put in and taken out
    since it was made. Times rise.
    """

    process: int
    created_ns: int
    created_stack: int
    creator_tid: int
    times_ns: tuple[int, ...]
    lengths: tuple[int, ...]
    puts: tuple[int, ...]
    gets: tuple[int, ...]
