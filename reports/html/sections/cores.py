"""Cores: how busy each one was over time, and how many of them the target used."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from concurtrace.model.recording import CoreUsage, ProcessActivity
from concurtrace.model.report import CoreReport, CoreUser, Report, StatesReport
from concurtrace.model.trace import CoreSource, Origin
from concurtrace.units import count_text, share_text, significant, time_text

from ..._scale import Scale
from ..._series import interval_lengths, mean_over_time
from ..._text import shorten
from ..._words import absence
from ..chart import WIDTH, Path, Span, area, cells, steps, thin
from ..levels import density
from ..section import Section
from ._labels import process_label

_HEIGHT = 18
_TARGET_HEIGHT = 40
_CELLS = 200
_LEVELS = 5
_USERS = 20
_NAME = 60


@dataclass(frozen=True)
class Lane:
    """A core: one path per level of heat, and its mean and highest use."""

    core: int
    paths: tuple[Path, ...]
    mean: str
    highest: str


@dataclass(frozen=True)
class Activity:
    """A process's threads and context switches."""

    label: str
    threads: str
    voluntary: str
    involuntary: str


@dataclass(frozen=True)
class User:
    """A thread on a core: its time there, and its share of the run."""

    core: int
    name: str
    time: str
    share: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Users:
    """Who ran on which core; ``note`` says what it rests on, or why it is not known."""

    unit: str
    rows: tuple[User, ...]
    note: str


@dataclass(frozen=True)
class View:
    """The lanes, the target's own curve above them, the processes, and who ran where.

    ``busy_with`` says what the lanes show: all programs where the use of the cores was sampled,
    else the target alone, and then there are no processes.
    """

    lanes: tuple[Lane, ...]
    busy_with: str
    target: Path
    target_text: str
    ticks: tuple[str, ...]
    processes: tuple[Activity, ...]
    interval: str
    users: Users | None


def build(report: Report) -> Section:
    """Show the use of the cores."""
    cores = report.recording.cores
    users = _users(report.states) if report.states else None
    if cores is None or not cores.times_ns:
        missing = absence(report, "The use of cores was", "cores")
        if users is None or report.states is None or not users.rows:
            return Section("cores", "Cores", absence=missing)
        return _by_threads(report, report.states, users)
    lengths = interval_lengths(cores)
    span = Span(cores.times_ns[0] - lengths[0], cores.times_ns[-1])
    edges = _edges(cores, lengths)
    used = [
        (span.x(at), share) for at, share in zip(cores.times_ns, cores.target_cores, strict=True)
    ]
    view = View(
        tuple(_lane(number, busy, cores, lengths, edges) for number, busy in enumerate(cores.busy)),
        "busy",
        area(steps(thin(used), 0), len(cores.busy), _TARGET_HEIGHT),
        f"{significant(mean_over_time(cores.target_cores, lengths) or 0)} on average,"
        f" {significant(max(cores.target_cores))} at most",
        span.ticks(),
        tuple(map(_activity, cores.processes)),
        time_text(cores.interval_ns),
        users,
    )
    return Section(
        "cores",
        "Cores",
        _answer(cores, lengths),
        view,
        data={"cores": _data(cores, span)},
    )


def _answer(cores: CoreUsage, lengths: Sequence[int]) -> str:
    many = len(cores.busy)
    used = mean_over_time(cores.target_cores, lengths) or 0.0
    busy = mean_over_time([sum(row) for row in zip(*cores.busy, strict=True)], lengths) or 0.0
    noun = "core" if many == 1 else "cores"
    return (
        f"The target used {significant(used)} of {many} {noun} on average;"
        f" with all other programs, {significant(busy)} were busy."
    )


def _by_threads(report: Report, states: StatesReport, users: Users) -> Section:
    """Show what switch records tell of the target alone, where nobody sampled the cores."""
    trace = report.recording.trace
    on, times = (trace.on_core, (trace.start_ns, trace.end_ns)) if trace else (None, (0, 0))
    if on is None or times[1] <= times[0]:
        view = View((), "", Path(), "", (), (), "", users)
        return Section("cores", "Cores", _answer_by_threads(states), view)
    lanes = []
    whole = np.zeros(_CELLS)
    for core in np.unique(on.core).tolist():
        mine = on.core == core
        shares = np.clip(density(on.start_ns[mine], on.end_ns[mine], *times, _CELLS), 0, 1)
        whole += shares
        lanes.append(_drawn(core, shares.tolist(), float(shares.mean()), float(shares.max())))
    points = [(round((at + 0.5) * WIDTH / _CELLS), float(one)) for at, one in enumerate(whole)]
    many = max(report.environment.machine.usable_cores, len(lanes))
    view = View(
        tuple(lanes),
        "with the target",
        area(points, many, _TARGET_HEIGHT),
        f"{significant(float(whole.mean()))} on average, {significant(float(whole.max()))} at most",
        Span(*times).ticks(),
        (),
        "",
        users,
    )
    return Section("cores", "Cores", _answer_by_threads(states), view)


def _answer_by_threads(states: StatesReport) -> str:
    cores = states.cores or ()
    used = sum(one.target for one in cores)
    many = "one core" if len(cores) == 1 else f"{len(cores)} cores"
    return f"The target ran on {many} and used {significant(used)} of them on average."


def _users(states: StatesReport) -> Users:
    """List who ran on each core, longest first."""
    if states.cores is None:
        return Users("", (), f"Who ran on which core is not known: {_why_not(states)}.")
    shown = [(core, user) for core in states.cores for user in core.ran[:_USERS]]
    scale = Scale.for_times(user.ns for _, user in shown)
    left_out = sum(max(0, len(core.ran) - _USERS) for core in states.cores)
    note = f"Recorded in the pass {states.pass_name}, from {states.cores_from.value}."
    if states.cores_from is CoreSource.BOTH:
        note = (
            f"Not complete: recorded in the pass {states.pass_name} from {CoreSource.BOTH.value}."
        )
    if left_out:
        note += f" Of each core the {_USERS} threads with most time are listed."
    return Users(scale.unit, tuple(_user(core, user, scale, states) for core, user in shown), note)


def _why_not(states: StatesReport) -> str:
    if states.origin is Origin.ESTIMATED:
        return "the states were estimated by sampling"
    return "context switches could not be recorded on this machine"


def _user(core: CoreReport, user: CoreUser, scale: Scale, states: StatesReport) -> User:
    name = shorten(user.name, _NAME) or "a thread"
    return User(
        core.core,
        f"{name} ({user.tid})" if user.tid == user.pid else f"{name} ({user.tid}) of {user.pid}",
        scale.text(user.ns),
        share_text(user.ns / states.wall_ns),
        (core.core, user.ns),
    )


def _edges(cores: CoreUsage, lengths: Sequence[int]) -> list[int]:
    """Cut the time into at most ``_CELLS`` equal cells; nanoseconds, first and last edge too."""
    start_ns, end_ns = cores.times_ns[0] - lengths[0], cores.times_ns[-1]
    count = min(_CELLS, len(cores.times_ns))
    return [start_ns + (end_ns - start_ns) * number // count for number in range(count + 1)]


def _lane(
    number: int,
    busy: Sequence[float],
    cores: CoreUsage,
    lengths: Sequence[int],
    edges: Sequence[int],
) -> Lane:
    shares = _resample(cores.times_ns, lengths, busy, edges)
    return _drawn(number, shares, mean_over_time(busy, lengths), max(busy))


def _drawn(number: int, shares: Sequence[float], mean: float | None, highest: float) -> Lane:
    """Draw a core from its share in equal cells of time."""
    levels = [min(_LEVELS, round(share * _LEVELS + 0.49)) if share > 0 else 0 for share in shares]
    places = [round(WIDTH * index / len(shares)) for index in range(len(shares) + 1)]
    return Lane(
        number,
        cells(places, levels, _HEIGHT, _LEVELS),
        share_text(mean) if mean is not None else "not measured",
        share_text(highest),
    )


def _resample(
    times_ns: Sequence[int], lengths: Sequence[int], values: Sequence[float], edges: Sequence[int]
) -> list[float]:
    """Take the mean of a step function between neighbouring edges, weighted by time."""
    sums = [0.0]
    for value, length in zip(values, lengths, strict=True):
        sums.append(sums[-1] + value * length)
    starts = [end - length for end, length in zip(times_ns, lengths, strict=True)]

    def integral(at_ns: int) -> float:
        index = max(0, bisect_right(starts, at_ns) - 1)
        return sums[index] + values[index] * min(at_ns - starts[index], lengths[index])

    whole = [integral(edge) for edge in edges]
    return [
        (after - before) / (end - start) if end > start else 0.0
        for before, after, start, end in zip(whole, whole[1:], edges, edges[1:], strict=False)
    ]


def _activity(one: ProcessActivity) -> Activity:
    return Activity(
        process_label(one.process),
        count_text(max(one.threads, default=0)),
        count_text(one.voluntary_switches),
        count_text(one.involuntary_switches),
    )


def _data(cores: CoreUsage, span: Span) -> dict[str, Any]:
    used = list(zip(cores.times_ns, cores.target_cores, strict=True))
    points = thin([(at_ns - span.start_ns, value) for at_ns, value in used])
    curve = [[at_ns, round(value, 3)] for at_ns, value in points]
    return {"length": span.end_ns - span.start_ns, "curves": [curve], "kind": "cores"}
