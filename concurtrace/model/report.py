"""The one result object that every renderer is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from concurtrace.model.line_report import LineStates
from concurtrace.model.lock_report import LockStep
from concurtrace.model.process_report import ProcessesReport
from concurtrace.model.recording import Function, Recording
from concurtrace.model.run import Environment, Execution, Pass, Target
from concurtrace.model.spans import Numbers, Times
from concurtrace.model.states import State
from concurtrace.model.task_report import TasksReport
from concurtrace.model.trace import CoreSource, GilUse, Origin

FORMAT_NAME = "concurtrace"
FORMAT_VERSION = 1


class Severity(StrEnum):
    """What a rule says; ``failed`` means that the rule itself crashed."""

    WARNING = "warning"
    INFO = "info"
    OK = "ok"
    NOT_APPLICABLE = "not-applicable"
    FAILED = "failed"


@dataclass(frozen=True)
class Prediction:
    """What a change would bring, with its range, assumptions and the error of the model."""

    what_if: str
    speedup: float
    low: float
    high: float
    assumptions: tuple[str, ...]
    model_error: float


@dataclass(frozen=True)
class Finding:
    """The answer of one rule: claim, proof and next step.

    ``gain_ns`` is what it costs on the critical path at most, by which findings are ordered.
    Findings with one root cause are one story: its first names the others in ``also``, and they
    name it in ``part_of``. ``window_ns`` counts from the start of the run.
    """

    rule: str
    severity: Severity
    summary: str
    explanation: str = ""
    remedy: str = ""
    where: tuple[str, ...] = ()
    window_ns: tuple[int, int] | None = None
    evidence: Mapping[str, int | float | str] | None = None
    prediction: Prediction | None = None
    gain_ns: int = 0
    also: tuple[str, ...] = ()
    part_of: str | None = None


@dataclass(frozen=True)
class PathStep:
    """Time on the critical path of one thread in one state at one place; "" = not known where."""

    state: State
    tid: int
    where: str
    ns: int


@dataclass(frozen=True, eq=False)
class PathPieces:
    """The critical path in order of time: on which thread of the trace it was from when to when.

    ``row`` is that of the thread; times are those of the recording's clock.
    """

    row: Numbers
    start_ns: Times
    end_ns: Times


@dataclass(frozen=True)
class HotFunction:
    """A function over all threads and processes: sums that are exact because tables are."""

    function: Function
    calls: int
    own_ns: int
    total_ns: int
    processes: int
    threads: int


@dataclass(frozen=True)
class HotLine:
    """A line over all processes."""

    file: str
    line: int
    function: str
    hits: int
    time_ns: int
    processes: int
    source: str


@dataclass(frozen=True)
class HotMemoryLine:
    """A line over all processes, by the memory it added."""

    file: str
    line: int
    function: str
    increment_bytes: int
    peak_bytes: int
    processes: int
    source: str


@dataclass(frozen=True)
class Hot:
    """The hottest functions and lines, most expensive first."""

    functions: tuple[HotFunction, ...] = ()
    lines: tuple[HotLine, ...] = ()
    memory_lines: tuple[HotMemoryLine, ...] = ()


@dataclass(frozen=True)
class ThreadReport:
    """A thread: time per state, exact and summing to its lifetime, and what it had of the GIL.

    ``start_ns`` and ``end_ns`` count from the start of the run. ``cpu_ns`` is the kernel's figure.
    """

    tid: int
    name: str
    start_ns: int
    end_ns: int
    states: Mapping[State, int]
    gil: GilUse
    cpu_ns: int | None
    idle_ns: int = 0
    """Of its waits, those of a pool's worker without work: expected, and in no ranking."""


@dataclass(frozen=True)
class ProcessReport:
    """A process of the pass that recorded the states; ``threads`` is empty without Python.

    Times count from the start of the run. ``ended_by`` is ``exit``, ``signal N`` or ``unknown``;
    then ``end_ns`` is when the run ended.
    """

    pid: int
    parent_pid: int
    name: str
    started_by: str
    start_ns: int
    end_ns: int
    ended_by: str
    exit_code: int | None
    command: tuple[str, ...]
    cpu_ns: int | None
    threads: tuple[ThreadReport, ...]

    @property
    def states(self) -> Mapping[State, int]:
        """Time per state over all threads: thread time, which may exceed the lifetime."""
        sums: dict[State, int] = {}
        for thread in self.threads:
            for state, ns in thread.states.items():
                sums[state] = sums.get(state, 0) + ns
        return sums


@dataclass(frozen=True)
class LockPlace:
    """A place in the code and the time that belongs to it."""

    where: str
    ns: int


@dataclass(frozen=True)
class GilTotals:
    """What the GIL cost the whole run, as shares between 0 and 1.

    ``contention`` = GIL_WAIT / (GIL_WAIT + RUNNING) over all threads; ``held`` = share of the run
    in which some thread held it. ``blame`` says which lines ran while others waited, from samples.
    """

    contention: float
    held: float
    blame: tuple[LockPlace, ...]


@dataclass(frozen=True)
class LockReport:
    """A lock, or all locks made at one place: exact totals, and where their time went.

    ``held_by`` says who had it while others waited: the place that the thread was at which let go
    of it; ``waited_at`` where the waiters stood. Both cover the waits that were kept singly;
    ``longest`` is the row of the longest of them among the trace's spans, None without any.
    """

    name: str
    kind: str
    created_at: str | None
    locks: int
    acquisitions: int
    contended: int
    wait_ns: int
    hold_ns: int
    held_by: tuple[LockPlace, ...]
    waited_at: tuple[LockPlace, ...]
    longest: int | None = None


@dataclass(frozen=True)
class CoreUser:
    """A thread on one core."""

    pid: int
    tid: int
    name: str
    ns: int


@dataclass(frozen=True)
class CoreReport:
    """Who ran on one core, longest first; ``target`` is their share of the run."""

    core: int
    target: float
    ran: tuple[CoreUser, ...]


@dataclass(frozen=True)
class StatesReport:
    """The wait states of the run, worked out from the trace.

    ``origin`` says whether they were recorded or estimated, ``cores_from`` where ready time and
    core numbers come from; ``unknown_share`` is the largest of any thread over 100 ms.
    ``folded_spans`` of ``folded_ns`` are in the totals only. ``costs`` is what processes took to
    come up and to talk with each other.
    """

    pass_name: str
    wall_ns: int
    origin: Origin
    cores_from: CoreSource
    processes: tuple[ProcessReport, ...]
    gil: GilTotals | None
    locks: tuple[LockReport, ...]
    cores: tuple[CoreReport, ...] | None
    peak_threads: int
    peak_processes: int
    unknown_share: float
    folded_spans: int
    folded_ns: int
    min_span_ns: tuple[int, int]
    costs: ProcessesReport
    lock_order: tuple[LockStep, ...]
    lines: tuple[LineStates, ...]


@dataclass(frozen=True)
class Artifact:
    """A file of the run that other tools open; ``path`` is relative to the run directory."""

    name: str
    path: str
    size_bytes: int
    how_to_open: str


@dataclass(frozen=True)
class Outcome:
    """How the target ended, over all passes."""

    exit_code: int | None
    signal: int | None
    timed_out: bool
    interrupted: bool
    checksum: str | None
    expected_checksum: str | None
    verified: bool | None
    error: str | None
    standstill: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself, without error, with the right result."""
        stopped = self.timed_out or self.standstill or self.interrupted
        ended = self.exit_code == 0 and not stopped
        return ended and self.verified is not False and self.error is None


@dataclass(frozen=True)
class Report:
    """Everything about one run that is worth telling; what renderers are given.

    ``verdict`` is what the diagnosis comes to in a sentence or two.
    """

    run: str
    run_path: str
    started_at: str
    target: Target
    environment: Environment
    outcome: Outcome
    passes: tuple[Pass, ...]
    recording: Recording
    hot: Hot
    artifacts: tuple[Artifact, ...]
    findings: tuple[Finding, ...] = ()
    states: StatesReport | None = None
    tasks: TasksReport | None = None
    verdict: str = ""
    critical_path: tuple[PathStep, ...] | None = None
    path: PathPieces | None = None
    predictions: tuple[Prediction, ...] = ()

    def find_pass(self, name: str) -> Pass | None:
        """Return a pass by name, or None."""
        return next((one for one in self.passes if one.name == name), None)

    @property
    def measured(self) -> Execution | None:
        """The execution whose numbers are quoted: the first of the least disturbing pass."""
        order = ("baseline", "light")
        ranked = sorted(
            self.passes, key=lambda one: order.index(one.name) if one.name in order else len(order)
        )
        return next((run for one in ranked for run in one.executions), None)
