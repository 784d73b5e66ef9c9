"""How busy other programs kept the machine while the target was at its work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the target itself reads the clock of the machine, and needs no more
    from collections.abc import Sequence

    from concurtrace.model.run import Execution


def competing_load(executions: Sequence[Execution]) -> float | None:
    """Return the share of all cores' time that went to others than the target, 0 to 1."""
    counted = [one for one in executions if one.machine_busy_ns]
    elapsed_ns = sum(one.wall_ns for one in counted) * (os.cpu_count() or 1)
    if elapsed_ns <= 0:
        return None
    others = sum(one.machine_busy_ns - one.cpu_ns for one in counted)
    return min(1.0, max(0.0, others / elapsed_ns))


def machine_busy_ns() -> int:
    """Sum the busy time of all cores (proc(5): user nice system idle iowait irq softirq steal)."""
    ticks = [int(part) for part in Path("/proc/stat").read_text("ascii").split("\n")[0].split()[1:]]
    busy = sum(ticks[:3]) + sum(ticks[5:8])
    return busy * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
