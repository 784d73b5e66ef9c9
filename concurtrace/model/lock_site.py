"""Where contended locks were taken."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LockSite:
    """A place at which a lock was taken, from the time on that threads had often waited for it.

    ``object`` is a row of ``Trace.objects``, ``stack`` one of ``Trace.stacks``; ``contended`` of
    the ``acquisitions`` there had to wait.
    """

    object: int
    stack: int
    acquisitions: int
    contended: int
