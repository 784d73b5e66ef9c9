"""Modes of a workload side by side: what renderers of comparisons are given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from concurtrace.model.report import Report
from concurtrace.model.run import Environment, Value


class Spent(Enum):
    """What became of the time of the cores, each with words for readers.

    A core without work of the target is put down to what the target's threads waited for.
    """

    RUNNING = "computing"
    MESSAGES = "passing messages between processes"
    GIL = "idle: threads waited for the GIL"
    LOCKS = "idle: threads waited for locks"
    IO = "idle: threads waited for input, output or timers"
    SIGNALS = "idle: threads waited for each other"
    READY = "taken by other programs: threads were ready without a core"
    START = "idle: threads and processes were starting"
    IDLE = "idle: nothing to do for so many cores"


@dataclass(frozen=True)
class Ledger:
    """Where the core-seconds of a run went: ``spent`` sums to ``wall_ns`` times ``cores``.

    ``course`` divides each post among columns of equal time, from the start of the run to its end.
    """

    wall_ns: int
    cores: float
    spent: Mapping[Spent, int]
    course: Mapping[Spent, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Speed:
    """A factor with its 95 % confidence interval; None where one run says nothing about spread."""

    factor: float
    low: float | None
    high: float | None

    @property
    def may_be_one(self) -> bool:
        """Whether noise could explain the difference."""
        return self.low is None or self.high is None or self.low <= 1 <= self.high


def name_of(mode: str, workers: int | None) -> str:
    """Name a mode, and its number of workers where that is varied: ``threads with 4``."""
    return mode if workers is None else f"{mode} with {workers}"


@dataclass(frozen=True)
class ModeResult:
    """One mode (with one number of workers): its times in order of rounds, and its own report.

    ``speedup`` is against the reference, ``against_best`` the best mode's time by this one's:
    below 1 where this is slower. Both are None where the mode did not come to its end with a right
    result; ``trouble`` then says why. ``folder`` is relative to the comparison's own.
    """

    mode: str
    workers: int | None
    folder: str
    report: Report
    walls_ns: tuple[int, ...]
    speedup: Speed | None
    against_best: Speed | None
    ledger: Ledger | None
    trouble: str | None = None

    @property
    def name(self) -> str:
        """What the mode is called among the others."""
        return name_of(self.mode, self.workers)

    @property
    def wall_ns(self) -> int:
        """The median of its times; 0 where there is none."""
        ordered = sorted(self.walls_ns)
        middle = len(ordered) // 2
        if not ordered:
            return 0
        return ordered[middle] if len(ordered) % 2 else sum(ordered[middle - 1 : middle + 1]) // 2


@dataclass(frozen=True)
class Checked:
    """A prediction from one mode's recording, beside what the other mode really took.

    ``error`` is predicted by measured, less one.
    """

    from_mode: str
    to_mode: str
    predicted: float
    low: float
    high: float
    measured: Speed
    error: float
    model_error: float
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class ScalingPoint:
    """A number of workers, what it took, and how much faster than the fewest it was.

    ``serial`` is Karp and Flatt's experimentally determined serial fraction. ``fitted`` is what
    the law that was fitted to the other points says of this one; ``error`` is how far off it is.
    """

    workers: int
    wall_ns: int
    speedup: Speed
    serial: float | None
    fitted: float | None
    error: float | None


@dataclass(frozen=True)
class Foretold:
    """What a law says of a number of workers.

    Its range is that of the laws of single rounds, widened by how far the law of the other points
    was off at one that was measured.
    """

    workers: int
    speedup: float
    low: float
    high: float


@dataclass(frozen=True)
class Scaling:
    """How a mode scales with its workers.

    ``amdahl_serial`` is the serial fraction of Amdahl's law. ``contention`` and ``coherency`` are
    the two costs of the universal scalability law, None with fewer than four points. ``best`` is
    the best number of workers by the law that fits; ``foretold`` goes up to twice what was
    measured.
    """

    mode: str
    points: tuple[ScalingPoint, ...]
    amdahl_serial: float
    contention: float | None
    coherency: float | None
    best: int
    foretold: tuple[Foretold, ...]
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """Every mode of a workload on the same work, the fastest first, those without a result last.

    ``reference`` is the name of the one that speed-ups are against; ``notes`` are modes that were
    left out, and why.
    """

    run: str
    run_path: str
    started_at: str
    workload: str
    parameters: Mapping[str, Value]
    environment: Environment
    reference: str
    rounds: int
    interrupted: bool
    modes: tuple[ModeResult, ...]
    verdict: str
    predictions: tuple[Checked, ...]
    scaling: tuple[Scaling, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether every mode came to its end with the right result."""
        return not self.interrupted and all(one.trouble is None for one in self.modes)
