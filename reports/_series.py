"""Memory and core use over time, summed up for every report."""

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
    counts it N times (proc(5), smaps). A process counts from its first to its last sample.
    """
    measure = measure or ("PSS" if _has_pss(usage) else "RSS")
    changes: list[tuple[int, int, int | None]] = []
    for number, one in enumerate(usage.series):
        values = _values(one, measure)
        changes.extend(zip(one.times_ns, [number] * len(values), values, strict=True))
        if one.times_ns:
            changes.append((one.times_ns[-1] + usage.interval_ns, number, None))
    # At one time, new values come before processes that go: a baton handed over is no gap.
    changes.sort(key=lambda change: (change[0], change[2] is None))
    current: dict[int, int] = {}
    sums: dict[int, tuple[int, int]] = {}
    for at_ns, number, value in changes:
        if value is None:
            current.pop(number, None)
        else:
            current[number] = value
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
    return all(value is not None for one in usage.series for value in one.pss_bytes)


def _values(series: MemorySeries, measure: str) -> list[int]:
    if measure == "RSS":
        return list(series.rss_bytes)
    return [
        rss if pss is None else pss
        for rss, pss in zip(series.rss_bytes, series.pss_bytes, strict=True)
    ]


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
