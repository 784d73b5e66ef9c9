"""Memory and core use over time, summed up for every report."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from concurtrace.model.recording import CoreUsage, MemorySeries, MemoryUsage


@dataclass(frozen=True)
class Peak:
    """The largest sum over all processes, when it was reached, and what was added up."""

    bytes: int
    at_ns: int
    measure: str
    processes: int


@dataclass(frozen=True)
class Total:
    """The memory of all processes together at each time that any of them was read."""

    times_ns: tuple[int, ...]
    bytes: tuple[int, ...]
    alive: tuple[int, ...]
    measure: str


def total_memory(usage: MemoryUsage, measure: str | None = None) -> Total:
    """Add up the processes alive at each moment: ``PSS`` where it could be read, else ``RSS``.

    PSS counts a page shared by N processes as 1/N in each, so it may be added up; a sum of RSS
    counts it N times (proc(5), smaps). A process counts from its first sample to one interval
    after its last.
    """
    measure = measure or ("PSS" if _has_pss(usage) else "RSS")
    changes: defaultdict[int, list[tuple[int, int | None]]] = defaultdict(list)
    for number, one in enumerate(usage.series):
        for at_ns, value in zip(one.times_ns, _values(one, measure), strict=True):
            changes[at_ns].append((number, value))
        if one.times_ns:
            changes[one.times_ns[-1] + usage.interval_ns].append((number, None))
    current: dict[int, int] = {}
    sums: dict[int, tuple[int, int]] = {}
    for at_ns in sorted(changes):
        for number, read in changes[at_ns]:
            if read is None:
                del current[number]
            else:
                current[number] = read
        if current:
            sums[at_ns] = (sum(current.values()), len(current))
    return Total(
        tuple(sums),
        tuple(one for one, _ in sums.values()),
        tuple(n for _, n in sums.values()),
        measure,
    )


def peak_memory(usage: MemoryUsage, measure: str | None = None) -> Peak | None:
    """Find the moment at which all processes together used most; None without a sample."""
    total = total_memory(usage, measure)
    if not total.bytes:
        return None
    index = max(range(len(total.bytes)), key=total.bytes.__getitem__)
    return Peak(total.bytes[index], total.times_ns[index], total.measure, total.alive[index])


def _has_pss(usage: MemoryUsage) -> bool:
    return all(any(value is not None for value in one.pss_bytes) for one in usage.series)


def _values(series: MemorySeries, measure: str) -> list[int]:
    if measure == "RSS":
        return list(series.rss_bytes)
    pairs = list(zip(series.rss_bytes, series.pss_bytes, strict=True))
    # PSS is read less often: between its readings, what others share is taken to stay as it was.
    shared = next(rss - pss for rss, pss in pairs if pss is not None)
    values = []
    for rss, pss in pairs:
        shared = shared if pss is None else rss - pss
        values.append(max(0, rss - shared))
    return values


def interval_lengths(cores: CoreUsage) -> list[int]:
    """Return how long each interval was; the first is taken to be of the usual length."""
    times = cores.times_ns
    return [cores.interval_ns, *(after - before for before, after in pairwise(times))][: len(times)]


def mean_over_time(values: Sequence[float], lengths: Sequence[int]) -> float | None:
    """Weigh values by the lengths of their intervals; None where there is none."""
    whole = sum(lengths)
    if not whole:
        return None
    return sum(value * length for value, length in zip(values, lengths, strict=True)) / whole
