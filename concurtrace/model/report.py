"""The one result object that every renderer is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from concurtrace.model.recording import Function, Recording
from concurtrace.model.run import Environment, Execution, Pass, Target

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
    """The answer of one rule: claim, proof and next step."""

    rule: str
    severity: Severity
    summary: str
    explanation: str = ""
    remedy: str = ""
    where: tuple[str, ...] = ()
    window_ns: tuple[int, int] | None = None
    evidence: Mapping[str, int | float | str] | None = None
    prediction: Prediction | None = None


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

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself, without error, with the right result."""
        ended = self.exit_code == 0 and not (self.timed_out or self.interrupted)
        return ended and self.verified is not False and self.error is None


@dataclass(frozen=True)
class Report:
    """Everything about one run that is worth telling; what renderers are given."""

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
