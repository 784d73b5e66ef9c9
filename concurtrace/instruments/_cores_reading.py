"""Decode what the cores instrument recorded: counters that only grow become shares."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from concurtrace.instruments import _sampling
from concurtrace.instruments._files import decoding
from concurtrace.instruments._sampling import Line, Samples, identify, read_samples
from concurtrace.model.recording import CoreUsage, ProcessActivity, ProcessKey, Recording
from concurtrace.rundir.processes import read_processes

MOST_INTERVALS = 2000
"""More than any picture can show; samples between are left out, counters lose nothing by it."""

_NAMED = 3
_FIRST = 0
"""The number that the sampler gives to the first process of the target."""

Counts = tuple[int, int]
"""Voluntary and involuntary context switches."""


@dataclass(frozen=True)
class _Instant:
    """The counters of one sample: busy and all seconds per core, the target's CPU time."""

    at_ns: int
    cores: tuple[tuple[float, float], ...]
    target_ns: int


@dataclass
class _Activity:
    """What is collected of one process from sample to sample."""

    times_ns: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    by_thread: dict[int, Counts] = field(default_factory=dict)

    @property
    def switches(self) -> Counts:
        """The counts of all threads that were ever seen."""
        return (
            sum(voluntary for voluntary, _ in self.by_thread.values()),
            sum(involuntary for _, involuntary in self.by_thread.values()),
        )


def read(out: Path) -> Recording:
    """Turn the samples of a pass into a CoreUsage; RunDataError if a file is damaged."""
    paths = sorted(out.glob(f"[!.]*{_sampling.SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
    if not paths:
        return Recording()
    samples = read_samples(paths[-1])
    processes = read_processes(out.parent).values()
    registered = [process.key for process in processes]
    keys = identify(samples.processes, registered)
    with decoding(paths[-1]):
        instants = _thin(_settle(_instants(samples), samples.interval_ns))
        activities = _activities(samples, keys, registered)
    exact = {one.key: one.switches for one in processes if one.switches is not None}
    steps = list(itertools.pairwise(instants))
    return Recording(
        cores=CoreUsage(
            times_ns=tuple(after.at_ns for _, after in steps),
            busy=tuple(zip(*(_busy(before, after) for before, after in steps), strict=True)),
            target_cores=tuple(
                (after.target_ns - before.target_ns) / (after.at_ns - before.at_ns)
                for before, after in steps
            ),
            processes=tuple(
                ProcessActivity(
                    key, tuple(one.times_ns), tuple(one.threads), *exact.get(key, one.switches)
                )
                for key, one in activities.items()
            ),
            interval_ns=samples.interval_ns,
            notes=_notes(activities, exact),
        )
    )


def target_times(samples: Samples) -> list[int]:
    """Work out the CPU time in ns that the target had used at each sample; it never falls."""
    clock = _TargetClock(samples)
    return [clock.advance(line["processes"]) for line in samples.lines]


def _instants(samples: Samples) -> list[_Instant]:
    times = target_times(samples)
    found = [
        _Instant(int(line["at_ns"]), _core_times(line), target_ns)
        for line, target_ns in zip(samples.lines, times, strict=True)
    ]
    end = samples.end
    if end is not None:
        target_ns = max([int(end["cpu_ns"]) + _left_behind_ns(samples), *times[-1:]])
        found.append(_Instant(int(end["end_ns"]), _core_times(end), target_ns))
    return found


def _left_behind_ns(samples: Samples) -> int:
    """Add up the time of processes that were there after the first one had been waited for."""
    rows = samples.lines[-1]["processes"] if samples.lines else ()
    if any(row[0] == _FIRST for row in rows):
        return 0
    return sum(own_ns + reaped_ns for _number, own_ns, reaped_ns, _threads in rows)


def _core_times(line: Line) -> tuple[tuple[float, float], ...]:
    return tuple((float(busy), float(everything)) for busy, everything in line["cores"])


class _TargetClock:
    """Adds up the CPU time of the target, of processes between two samples too.

    A child's time becomes part of its parent's "children's time" once it was waited for. What
    that grows by beyond the children that were seen is of children that no sample met, and of the
    last moments of those that were.
    """

    def __init__(self, samples: Samples) -> None:
        self._pids = {number: one.pid for number, one in samples.processes.items()}
        self._parents = {number: one.parent_pid for number, one in samples.processes.items()}
        self._own: dict[int, int] = {}
        self._reaped: dict[int, int] = {}
        self._known: dict[int, int] = defaultdict(int)
        self._unseen: dict[int, int] = defaultdict(int)
        self._present: dict[int, int] = {}

    def advance(self, rows: Sequence[Sequence[int]]) -> int:
        """Take in a sample; return the target's CPU time so far."""
        present = {self._pids[row[0]]: int(row[0]) for row in rows}
        for number in set(self._present.values()) - set(present.values()):
            parent = self._present.get(self._parents[number])
            if parent is not None:
                self._known[parent] += self._own[number] + self._reaped[number]
        for number, own_ns, reaped_ns, _threads in rows:
            self._own[number] = max(int(own_ns), self._own.get(number, 0))
            self._reaped[number] = int(reaped_ns)
            unseen = self._reaped[number] - self._known[number]
            self._unseen[number] = max(unseen, self._unseen[number])
        self._present = present
        return sum(self._own.values()) + sum(self._unseen.values())


def _settle(instants: list[_Instant], interval_ns: int) -> list[_Instant]:
    """Leave out instants too close to the one before, and those with other cores than the first.

    The kernel counts the busy time of a core in steps of 10 ms.
    """
    kept: list[_Instant] = []
    for instant in instants:
        if kept and len(instant.cores) != len(kept[0].cores):
            continue
        while len(kept) > 1 and instant.at_ns - kept[-1].at_ns < interval_ns // 2:
            kept.pop()
        kept.append(instant)
    return kept


def _thin(instants: list[_Instant]) -> list[_Instant]:
    step = max(1, math.ceil(len(instants) / MOST_INTERVALS))
    kept = instants[::step]
    return kept if not instants or kept[-1] is instants[-1] else [*kept, instants[-1]]


def _busy(before: _Instant, after: _Instant) -> list[float]:
    """Return the busy share of each core between two instants."""
    shares = []
    for (busy, everything), (busy_then, everything_then) in zip(
        after.cores, before.cores, strict=True
    ):
        passed = everything - everything_then
        shares.append(min(1.0, max(0.0, (busy - busy_then) / passed)) if passed > 0 else 0.0)
    return shares


def _activities(
    samples: Samples, keys: Mapping[int, ProcessKey], registered: Iterable[ProcessKey]
) -> dict[ProcessKey, _Activity]:
    found: dict[ProcessKey, _Activity] = defaultdict(_Activity)
    for line in samples.lines:
        for number, _own_ns, _reaped_ns, threads in line["processes"]:
            activity = found[keys[number]]
            activity.times_ns.append(int(line["at_ns"]))
            activity.threads.append(int(threads))
        for number, thread, voluntary, involuntary in line.get("switches", ()):
            found[keys[number]].by_thread[thread] = int(voluntary), int(involuntary)
    for key in registered:
        found[key]
    return dict(sorted(found.items(), key=lambda one: one[0].start_ns))


def _notes(
    activities: Mapping[ProcessKey, _Activity], exact: Mapping[ProcessKey, Counts]
) -> tuple[str, ...]:
    notes = []
    sampled = [key for key in activities if key not in exact]
    if sampled:
        names = ", ".join(f"{key.name} ({key.pid})" for key in sampled[:_NAMED])
        more = f" and {len(sampled) - _NAMED} more" if len(sampled) > _NAMED else ""
        notes.append(
            f"Context switches of {names}{more} are those up to the last sample: it left no exact"
            " count at its end, as only Python processes that end by themselves do."
        )
    short = sum(1 for one in activities.values() if not one.times_ns)
    if short:
        notes.append(
            f"{short} of {len(activities)} processes ended before a sample was taken: their CPU"
            " time is in the target's, their threads are not counted."
        )
    return tuple(notes)
