"""How busy other programs kept the machine while the target ran."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class MachineLoad:
    """Count the machine's busy core-seconds while the target runs."""

    def __init__(self) -> None:
        self._busy_ns = 0
        self._elapsed_ns = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what happens inside of this block."""
        busy_ns, started_ns = _busy_ns(), time.monotonic_ns()
        try:
            yield
        finally:
            self._busy_ns += _busy_ns() - busy_ns
            self._elapsed_ns += time.monotonic_ns() - started_ns

    def competing(self, target_cpu_ns: int) -> float | None:
        """Return the share of all cores' time that went to others than the target, 0 to 1."""
        elapsed_ns = self._elapsed_ns * (os.cpu_count() or 1)
        if elapsed_ns <= 0:
            return None
        others = self._busy_ns - target_cpu_ns
        return min(1.0, max(0.0, others / elapsed_ns))


def _busy_ns() -> int:
    """Sum the busy time of all cores (proc(5): user nice system idle iowait irq softirq steal)."""
    ticks = [int(part) for part in Path("/proc/stat").read_text("ascii").split("\n")[0].split()[1:]]
    busy = sum(ticks[:3]) + sum(ticks[5:8])
    return busy * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
