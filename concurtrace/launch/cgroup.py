"""The CPU quota of a control group, and how often it held the group back.

The kernel lets a group use its cores for so much of each period (100 ms, as a rule) and stops all
of its threads for the rest. Both versions of control groups are read; see cgroups(7) and the
kernel's ``scheduler/sched-bwc.rst``.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from concurtrace.model.run import Throttling

MOUNTS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
_NS_PER_US = 1_000


@dataclass(frozen=True)
class Quota:
    """What a group's threads may use together, in cores; ``folder`` is the group's."""

    folder: Path
    cores: float

    def throttling(self) -> Throttling:
        """Read how often and how long the quota has stopped the group so far."""
        lines = _text(self.folder / "cpu.stat").split("\n")
        told = dict(line.partition(" ")[::2] for line in lines)
        # Version 2 counts microseconds, version 1 nanoseconds; both add up the cores' times.
        throttled_ns = int(told.get("throttled_usec", 0)) * _NS_PER_US
        return Throttling(
            self.cores,
            int(told.get("nr_periods", 0)),
            int(told.get("nr_throttled", 0)),
            throttled_ns or int(told.get("throttled_time", 0)),
        )


def quota(mounts: Path = MOUNTS, own: Path = OWN) -> Quota | None:
    """Find the tightest quota on this process's group and those around it; None without any."""
    found = [
        Quota(folder, cores)
        for folder in _folders(mounts, own)
        if (cores := _cores(folder)) is not None
    ]
    return min(found, key=lambda one: one.cores, default=None)


def _folders(mounts: Path, own: Path) -> Iterator[Path]:
    """List the folders of the process's groups, inner ones first; some may not be there.

    In a container its own group may be the root of what is mounted, whatever its name.
    """
    for line in _text(own).split("\n"):
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        roots = [mounts / controllers, mounts / "cpu"] if controllers else [mounts]
        for root in roots:
            inner = root / group.lstrip("/")
            yield from [one for one in (inner, *inner.parents) if one.is_relative_to(root)]


def _cores(folder: Path) -> float | None:
    allowed, _, period = _text(folder / "cpu.max").partition(" ")
    if not allowed:
        allowed = _text(folder / "cpu.cfs_quota_us")
        period = _text(folder / "cpu.cfs_period_us")
    with contextlib.suppress(ValueError, ZeroDivisionError):  # "max", or no such file: no quota
        if int(allowed) > 0:
            return int(allowed) / int(period)
    return None


def _text(path: Path) -> str:
    # Containers and virtual machines hide some of these files; an absent figure is no error.
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii", errors="replace").strip()
    return ""
