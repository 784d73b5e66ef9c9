"""What a machine withholds from the target while it runs: CPU quota, memory."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from concurtrace.launch.cgroup import quota
from concurtrace.model.run import Strain, Throttling

_PRESSURE = Path("/proc/pressure/memory")
_VMSTAT = Path("/proc/vmstat")
_NS_PER_US = 1_000


class StrainMeter:
    """Read the kernel's counters before and after an execution of the target."""

    def __init__(self) -> None:
        self._quota = quota()
        self._before = self._after = Strain()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count what happens inside of this block."""
        self._before = self._read()
        try:
            yield
        finally:
            self._after = self._read()

    def result(self, major_faults: int) -> Strain:
        """Return what was counted, with the target's own page faults."""
        before, after = self._before, self._after
        return Strain(
            throttling=_between(before.throttling, after.throttling),
            memory_stall_ns=_grown(before.memory_stall_ns, after.memory_stall_ns),
            swapped_in_bytes=_grown(before.swapped_in_bytes, after.swapped_in_bytes),
            major_faults=major_faults,
        )

    def _read(self) -> Strain:
        return Strain(
            self._quota.throttling() if self._quota is not None else None,
            _memory_stall_ns(_text(_PRESSURE)),
            _swapped_in_bytes(_text(_VMSTAT)),
        )


def _between(before: Throttling | None, after: Throttling | None) -> Throttling | None:
    if before is None or after is None:
        return None
    return Throttling(
        after.quota_cores,
        after.periods - before.periods,
        after.throttled - before.throttled,
        after.throttled_ns - before.throttled_ns,
    )


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _memory_stall_ns(text: str) -> int | None:
    """Read how long some task of the machine stood still for want of memory (kernel's psi.rst)."""
    for line in text.split("\n"):
        if line.startswith("some "):
            return int(line.rpartition("total=")[2]) * _NS_PER_US
    return None


def _swapped_in_bytes(text: str) -> int | None:
    for line in text.split("\n"):
        name, _, value = line.partition(" ")
        if name == "pswpin":
            return int(value) * os.sysconf("SC_PAGE_SIZE")
    return None


def _text(path: Path) -> str:
    # A kernel built without these figures, or a container that hides them, has no such file.
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii")
    return ""
