"""The few figures that sum a run up, each with what it was taken from."""

from dataclasses import dataclass

from concurtrace.model.report import Report
from concurtrace.units import share_text, significant, size_text, time_text

from ._places import name_of
from ._series import interval_lengths, mean_over_time, peak_memory
from ._words import measured_pass, spread


@dataclass(frozen=True)
class Fact:
    """A figure: its name, its value, one line of what it means, and the section with the proof."""

    name: str
    value: str
    meaning: str
    section: str


def facts(report: Report) -> tuple[Fact, ...]:
    """Give the wall time, the cores used, the memory peak and the hottest function."""
    return tuple(one(report) for one in (_wall, _cores, _memory, _hottest))


def _wall(report: Report) -> Fact:
    chosen = measured_pass(report)
    if chosen is None:
        return Fact("wall time", "not measured", "no execution came to its end", "passes")
    return Fact(
        "wall time", time_text(chosen.wall_ns), f"pass {chosen.name}: {spread(chosen)}", "passes"
    )


def _cores(report: Report) -> Fact:
    """CPU time divided by wall time: the mean number of cores that were computing."""
    chosen, machine = measured_pass(report), report.environment.machine
    available = float(machine.usable_cores)
    if machine.quota_cores is not None:
        available = min(available, machine.quota_cores)
    if chosen is None or not chosen.wall_ns:
        return Fact("cores used", "not measured", "no execution came to its end", "cores")
    used = chosen.cpu_ns / chosen.wall_ns
    return Fact(
        "cores used",
        f"{significant(used)} of {available:g}",
        f"on average: {time_text(chosen.cpu_ns)} of CPU time in {time_text(chosen.wall_ns)}",
        "cores",
    )


def _memory(report: Report) -> Fact:
    usage = report.recording.memory
    peak = peak_memory(usage) if usage is not None else None
    if usage is None or peak is None:
        return Fact("memory peak", "not measured", "no pass sampled the memory", "memory")
    together = f"{peak.processes} processes together" if peak.processes > 1 else "one process"
    return Fact("memory peak", size_text(peak.bytes), f"{peak.measure} of {together}", "memory")


def _hottest(report: Report) -> Fact:
    hottest = next(iter(report.hot.functions), None)
    if hottest is None:
        return Fact(
            "hottest function", "not measured", "no pass counted the functions", "functions"
        )
    share = hottest_share(report)
    return Fact(
        "hottest function",
        name_of(hottest.function),
        f"{share_text(share)} of the time in all functions, waiting included",
        "functions",
    )


def hottest_share(report: Report) -> float:
    """The share of the hottest function in the own time of all functions, waiting included."""
    whole = function_time_ns(report)
    return report.hot.functions[0].own_ns / whole if whole else 0.0


def function_time_ns(report: Report) -> int:
    """Add up the own time of every function in every thread: the base of shares of functions."""
    profile = report.recording.functions
    return sum(row.own_ns for table in profile.tables for row in table.stats) if profile else 0


def mean_target_cores(report: Report) -> float | None:
    """The mean number of cores the target used over time, as the cores instrument saw it."""
    cores = report.recording.cores
    return mean_over_time(cores.target_cores, interval_lengths(cores)) if cores else None
