"""Use of every core over time, and what the target has of it, with psutil.

A sampler in the launcher reads the busy time of every core and the CPU time and threads of every
process of the target. The context switches of each Python process are those that its agent noted
when it ended.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from concurtrace.instruments import Instrument, Options

if TYPE_CHECKING:
    from concurtrace.instruments._family import Seen
    from concurtrace.instruments._sampling import Line
    from concurtrace.model.recording import Recording

_SWITCHES_PER_COST = 400
_SWITCHES_INTERVAL_NS = 500_000_000


class Cores(Instrument):
    """Costs the target nothing but some of a core now and then: shares the light pass."""

    name = "cores"
    summary = "use of every core, threads and context switches of every process (psutil)"
    joins = "light"
    needs_ends = True

    def missing(self) -> str | None:
        """Name the package that is not installed."""
        from importlib.util import find_spec

        if find_spec("psutil") is None:
            return "the package psutil is not installed: pip install psutil"
        return None

    @contextmanager
    def beside(self, pid: int, out: Path, options: Options) -> Iterator[None]:
        """Sample the cores and the target's processes."""
        from concurtrace.instruments._sampling import LIGHT, sampling

        sampler = _Sampler()
        with sampling(pid, out, sampler.take, sampler.last, LIGHT):
            yield

    def read(self, out: Path, options: Options) -> Recording:
        """Turn counters that only grow into shares of intervals."""
        from concurtrace.instruments._cores_reading import read

        return read(out)


class _Sampler:
    """Reads counters of cores and processes."""

    def __init__(self) -> None:
        self._next_switches_ns = 0
        self._reaped_before_ns = _reaped_ns()

    def take(self, members: list[tuple[int, Seen]]) -> Line:
        """Read everything; context switches less often, each thread has a file of its own."""
        from concurtrace.instruments._family import cpu_ns

        # The clocks first and close together: they are what shares are computed from.
        at_ns = time.monotonic_ns()
        clocks = [(number, cpu_ns(seen.identity.pid), seen) for number, seen in members]
        line = {
            "at_ns": at_ns,
            "cores": _core_times(),
            "processes": [
                [number, own_ns, seen.reaped_cpu_ns, seen.threads]
                for number, own_ns, seen in clocks
                if own_ns is not None
            ],
        }
        if at_ns >= self._next_switches_ns:
            line["switches"] = self._switches(members)
        return line

    def last(self) -> Line:
        """Read what the whole target used: it was waited for, so it is counted as ours."""
        return {"cores": _core_times(), "cpu_ns": _reaped_ns() - self._reaped_before_ns}

    def _switches(self, members: list[tuple[int, Seen]]) -> list[list[int]]:
        from concurtrace.instruments._family import switches

        started_ns = time.thread_time_ns()
        rows = [
            [number, thread, *counts]
            for number, seen in members
            for thread, counts in switches(seen.identity.pid).items()
        ]
        cost_ns = time.thread_time_ns() - started_ns
        pause_ns = max(_SWITCHES_INTERVAL_NS, _SWITCHES_PER_COST * cost_ns)
        self._next_switches_ns = time.monotonic_ns() + pause_ns
        return rows


def _core_times() -> list[list[float]]:
    """Read the busy and all seconds of every core; guest time is part of user time."""
    import psutil

    rows = []
    for core in psutil.cpu_times(percpu=True):
        # proc(5), /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice.
        everything = sum(core[:8])
        rows.append([round(everything - core.idle - core.iowait, 3), round(everything, 3)])
    return rows


def _reaped_ns() -> int:
    """Return the CPU time of all processes that this one waited for, and that they waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((usage.ru_utime + usage.ru_stime) * 1e9)


INSTRUMENT = Cores()
