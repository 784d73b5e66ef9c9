"""Large messages between processes that were sent more than once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Repeated:
    """The same message, sent ``count`` times by a process.

    ``length`` is in bytes; ``hash`` is the same in all processes, and leaves out both ends of the
    message. ``process`` is a row of ``Trace.processes``, ``stack`` one of ``Trace.stacks``: where
    it was sent for the second time.
    """

    process: int
    length: int
    hash: int
    count: int
    stack: int = 0


@dataclass(frozen=True)
class Messages:
    """``large_bytes`` were in messages of 64 KiB or more, all of them together."""

    large_bytes: int = 0
    repeated: tuple[Repeated, ...] = ()
