"""Who was on which core: from the switch records and counter readings that the watcher left."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.recording import Loss
from concurtrace.model.spans import NO_CORE, CoreReadings, Left, OnCore, Times
from concurtrace.recording.watched import HeadFlag, Kind, Source, read_head, read_table

_PREEMPTED, _FOLD, _CUT, _CONTINUED = 1, 2, 4, 8
_EXITED = 2
_LATEST_NS = 1 << 62

Tasks = NDArray[Any]
"""A row per thread that the kernel told of: the fields of ``watched.TASK``."""


@dataclass(frozen=True, eq=False)
class Switches:
    """What the watcher saw of the scheduler.

    ``on_core`` is None where no switches were recorded, ``readings`` where no counters were
    read. In ``gaps_ns`` (rows of start and end) no switches were recorded, only readings; at its
    start every thread has a stretch of length 0 that says so. ``cpu_ns`` is what the watcher took.
    """

    on_core: OnCore | None
    readings: CoreReadings | None
    gaps_ns: Times
    tasks: Tasks
    cpu_ns: int
    losses: tuple[Loss, ...] = ()


def read_switches(folder: Path) -> Switches:
    """Decode the watcher's records of a folder; UnreadableError if its tables are damaged."""
    head = read_head(folder)
    source = Source(int(head["source"])) if int(head["source"]) <= 2 else Source.NOTHING
    tasks = read_table(folder, Kind.TASKS).items.copy()
    slices = read_table(folder, Kind.SLICES)
    decoded = _decode(slices.items, slices.start_ns)
    readings = _readings(read_table(folder, Kind.LOADS).items)
    watched = source is Source.PERF and len(decoded.tid) > 0
    return Switches(
        on_core=_on_core(decoded, tasks) if watched else None,
        readings=readings if len(readings) else None,
        gaps_ns=decoded.gaps_ns,
        tasks=tasks,
        cpu_ns=int(head["cpu_ns"]),
        losses=tuple(_losses(head, source)),
    )


@dataclass(frozen=True, eq=False)
class _Slices:
    """Plain slices; ``folds`` and ``gaps`` are rows of start and end, for folds with the tid."""

    start_ns: Times
    end_ns: Times
    tid: Times
    core: Times
    flags: Times
    folds_ns: Times
    fold_tids: Times
    gaps_ns: Times


def _decode(items: NDArray[Any], start_ns: int) -> _Slices:
    w0, w1 = items["w0"], items["w1"]
    flags = (w0 >> np.uint64(60)).astype(np.int64)
    # The item behind a fold is no slice but its sums, and may look like anything.
    is_sum = np.zeros(len(items), bool)
    for row in np.flatnonzero(flags & _FOLD).tolist():
        if not is_sum[row] and row + 1 < len(items):
            is_sum[row + 1] = True
    start = (w0 & np.uint64((1 << 48) - 1)).astype(np.int64) + start_ns
    end = start + (w1 & np.uint64((1 << 40) - 1)).astype(np.int64)
    tid = (w1 >> np.uint64(40)).astype(np.int64)
    core = (w0 >> np.uint64(48)).astype(np.int64) & 0xFFF
    gap = (tid == 0) & ~is_sum
    fold = ((flags & _FOLD) != 0) & ~is_sum & ~gap
    plain = ~gap & ~fold & ~is_sum
    return _Slices(
        start_ns=start[plain],
        end_ns=end[plain],
        tid=tid[plain],
        core=core[plain],
        flags=flags[plain],
        folds_ns=np.column_stack((start[fold], end[fold])),
        fold_tids=tid[fold],
        gaps_ns=np.column_stack((start[gap], end[gap])),
    )


def _on_core(slices: _Slices, tasks: Tasks) -> OnCore:
    """Lay out stretches by thread; where nothing is known they say so by ``Left.STILL_ON``."""
    left = np.where(slices.flags & _PREEMPTED, Left.PREEMPTED.value, Left.ASLEEP.value)
    unknown = (slices.flags & (_CUT | _CONTINUED)) != 0
    left = np.where(unknown, Left.STILL_ON.value, left)
    stretches = OnCore(
        slices.start_ns,
        slices.end_ns,
        slices.tid.astype(np.uint32),
        slices.core.astype(np.int16),
        left.astype(np.uint8),
    )
    marks = [_mark(slices.folds_ns[:, 0], slices.fold_tids)]
    marks += [_mark_all(int(start), tasks) for start in slices.gaps_ns[:, 0]]
    both = OnCore.joined([stretches, *marks])
    ordered = both.take(np.lexsort((both.end_ns, both.start_ns, both.tid)))
    return _without_overlap(ordered)


def _mark(times_ns: Times, tids: Times) -> OnCore:
    """Make stretches of length 0 from which on nothing is known of a thread."""
    return OnCore(
        times_ns.copy(),
        times_ns.copy(),
        tids.astype(np.uint32),
        np.full(len(times_ns), NO_CORE, np.int16),
        np.full(len(times_ns), Left.STILL_ON.value, np.uint8),
    )


def _mark_all(time_ns: int, tasks: Tasks) -> OnCore:
    """Mark every thread that lived at a time."""
    ends = np.where(tasks["flags"] & _EXITED, tasks["end_ns"], _LATEST_NS)
    alive = tasks[(tasks["start_ns"] <= time_ns) & (ends >= time_ns)]
    tids = np.unique(alive["tid"]).astype(np.int64)
    return _mark(np.full(len(tids), time_ns, np.int64), tids)


def _without_overlap(on: OnCore) -> OnCore:
    """Cut what reaches into the next stretch of the same thread: only lost records make that."""
    if not len(on):
        return on
    limit = np.append(on.start_ns[1:], _LATEST_NS)
    limit[:-1][on.tid[1:] != on.tid[:-1]] = _LATEST_NS
    return replace(on, end_ns=np.minimum(on.end_ns, limit))


def _readings(items: NDArray[Any]) -> CoreReadings:
    ordered = items[np.lexsort((items["time_ns"], items["tid"]))]
    return CoreReadings(
        ordered["time_ns"].astype(np.int64),
        ordered["tid"].astype(np.uint32),
        ordered["cpu"].astype(np.int16),
        ordered["cpu_ns"].astype(np.int64),
        ordered["delay_ns"].astype(np.int64),
    )


def _losses(head: Any, source: Source) -> Iterator[Loss]:
    flags = int(head["flags"])
    number = int(head["perf_errno"])
    if source is not Source.PERF and number:
        yield Loss("the kernel's records of context switches", _refusal(number))
    if not flags & HeadFlag.ENDED:
        yield Loss("the end of the scheduler's records", "the launcher was killed")
    if flags & HeadFlag.DISK_FULL:
        yield Loss("scheduler's records", "the disk was full")
    if flags & HeadFlag.NOT_ALL:
        yield Loss("switches of threads that were there first", _refusal(number))
    if int(head["records_lost"]):
        yield Loss(f"{int(head['records_lost'])} context switches", "there were too many at once")
    for field, what in (
        ("slices_dropped", "stays on a core"),
        ("tasks_dropped", "threads of the scheduler's list"),
        ("loads_dropped", "readings of the scheduler's counters"),
    ):
        if int(head[field]):
            yield Loss(f"{int(head[field])} {what}", "the size limit was reached")


def _refusal(number: int) -> str:
    if number in (errno.EACCES, errno.EPERM):
        return "the kernel does not permit them here (perf_event_paranoid, seccomp)"
    return f"the kernel refused them: {os.strerror(number)}"
