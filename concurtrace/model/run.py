"""What was run, where, by which passes, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = int | float | str


class TargetKind(StrEnum):
    """What kind of program the target is."""

    WORKLOAD = "workload"
    SCRIPT = "script"
    MODULE = "module"
    CODE = "code"


@dataclass(frozen=True)
class Target:
    """The program being watched; ``parameters`` are a workload's, ``argv`` the target's own."""

    kind: TargetKind
    name: str
    mode: str | None = None
    argv: tuple[str, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Cache:
    """One level of the first core's caches."""

    level: int
    kind: str
    size_bytes: int
    shared_by: int


@dataclass(frozen=True)
class Machine:
    """The machine's topology; ``numa_nodes`` lists the cores of each node."""

    cores: int
    usable_cores: int
    physical_cores: int | None
    threads_per_core: int | None
    numa_nodes: tuple[tuple[int, ...], ...]
    caches: tuple[Cache, ...]
    memory_bytes: int
    model: str
    kernel: str
    quota_cores: float | None = None

    @property
    def memory_architecture(self) -> str:
        """``UMA`` where all cores share one memory node, ``NUMA`` where there are several."""
        return "NUMA" if len(self.numa_nodes) > 1 else "UMA"


@dataclass(frozen=True)
class Environment:
    """The target's interpreter and machine, written by a child that runs as the target does."""

    python: str
    implementation: str
    gil: bool
    free_threaded: bool
    start_method: str
    switch_interval_ns: int
    machine: Machine
    packages: Mapping[str, str]
    concurtrace: str


class PassStatus(StrEnum):
    """How a pass ended: ``partial`` kept what there was until it was cut short."""

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Throttling:
    """What a CPU quota of ``quota_cores`` did to the target's control group.

    In ``throttled`` of ``periods`` scheduler periods the quota was used up and the group stopped;
    ``throttled_ns`` adds up the times of all cores.
    """

    quota_cores: float
    periods: int
    throttled: int
    throttled_ns: int


@dataclass(frozen=True)
class Strain:
    """What the machine withheld during an execution; None where the kernel does not tell.

    ``throttling`` is None without a quota. ``memory_stall_ns`` is how long some task of the machine
    stood still for want of memory, ``swapped_in_bytes`` is of the whole machine too;
    ``major_faults`` are the target's: pages that had to be read from a disk.
    """

    throttling: Throttling | None = None
    memory_stall_ns: int | None = None
    swapped_in_bytes: int | None = None
    major_faults: int = 0


@dataclass(frozen=True)
class Execution:
    """One execution of the target inside a pass.

    ``wall_ns``/``cpu_ns`` are of the work alone where the target could say (workloads), else of
    the whole process; CPU time covers all processes of the target that were waited for.
    ``start_ns`` is CLOCK_MONOTONIC. ``exit_code`` is None where a signal ended it; ``leftovers``
    are the processes that still ran when the first one had ended. ``standstill`` says who waited
    for whom where it was stopped because it would never have gone on. ``strain`` is of the whole
    execution, the start and end of the interpreter included. ``machine_busy_ns`` is the CPU time
    of all programs of the machine during ``wall_ns``, 0 where that is not known.
    """

    wall_ns: int
    cpu_ns: int
    start_ns: int
    exit_code: int | None
    signal: int | None = None
    timed_out: bool = False
    checksum: str | None = None
    observed: Mapping[str, Value] = field(default_factory=dict)
    error: str | None = None
    leftovers: tuple[int, ...] = ()
    standstill: str | None = None
    strain: Strain | None = None
    machine_busy_ns: int = 0

    @property
    def ended_by_itself(self) -> bool:
        """Whether it came to its end without an error of its own and without being stopped."""
        return not (self.timed_out or self.standstill) and self.error is None

    @property
    def trouble(self) -> str:
        """Why it did not end by itself, in words."""
        if self.standstill:
            return f"the target came to a standstill: {self.standstill}"
        return "the time limit passed" if self.timed_out else f"the target failed: {self.error}"


@dataclass(frozen=True)
class Pass:
    """One pass: the instruments that watched together, its executions and its cost.

    ``overhead`` is this pass's wall time divided by the baseline's median; None if there was no
    baseline. ``verified`` is None where there is nothing to compare a result with.
    """

    name: str
    instruments: tuple[str, ...]
    status: PassStatus
    reason: str | None = None
    executions: tuple[Execution, ...] = ()
    verified: bool | None = None
    overhead: float | None = None
    competing_load: float | None = None

    @property
    def wall_ns(self) -> int:
        """The median wall time of the executions that ended by themselves."""
        return _median([run.wall_ns for run in self.executions if run.ended_by_itself])

    @property
    def cpu_ns(self) -> int:
        """The median CPU time of the executions that ended by themselves."""
        return _median([run.cpu_ns for run in self.executions if run.ended_by_itself])


def _median(values: list[int]) -> int:
    values = sorted(values)
    if not values:
        return 0
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) // 2
