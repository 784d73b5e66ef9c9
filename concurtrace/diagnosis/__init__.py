"""Rules: what holds a program back, said in words and proved by what was recorded.

A rule is a module that defines ``RULE``; its id is the name of the file with ``-`` for ``_``. Its
docstring and the constants with a docstring beside them become its page in the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Prediction, Severity
from concurtrace.model.trace import CoreSource, Origin


class Cause(Enum):
    """What kind of thing is to blame; answers that blame the same thing tell one story."""

    GIL = "the GIL"
    LOCK = "a lock"
    CORES = "the cores"
    WORK = "how the work is divided"
    QUEUE = "a queue"
    POOL = "a pool"
    START = "starting threads or processes"
    IPC = "messages between processes"
    IO = "input and output"
    LOOP = "an event loop"
    CODE = "the code itself"
    RECORDING = "the recording"
    OTHERS = "other programs"


class Part(Enum):
    """A part of the data that a rule needs, and what to do where it is absent."""

    STATES = "wait states were not recorded: add --with states"
    EXACT = (
        "wait states were estimated by sampling, which tells nothing about single locks and wakers:"
        " `concurtrace doctor` says why they could not be recorded"
    )
    GIL = "this interpreter ran without a GIL, or no Python ran"
    READY = (
        "nothing tells when threads were ready without a core: `concurtrace doctor` says why the"
        " kernel's records could not be had"
    )
    BASELINE = "no undisturbed run to compare with: add --with baseline"
    FUNCTIONS = "functions were not counted: add --with functions"
    MEMORY = "memory was not sampled: add --with memory"
    CORES = "the machine's cores were not sampled: add --with cores"
    TASKS = "no steps of an event loop were recorded; if the program has one, add --with tasks"
    COLLECTIONS = (
        "garbage collections were not recorded: the part of the recorder that runs inside of Python"
        " was not built for this Python"
    )
    QUOTA = "no CPU quota limits the control group that the target ran in"
    STRAIN = "page faults of the run were not noted"
    JOBS = (
        "no calls given to a ThreadPoolExecutor were recorded; if the program has one, add"
        " --with tasks"
    )

    def is_in(self, case: Case) -> bool:
        """Tell whether the part was recorded."""
        return _IS_IN[self](case)


_IS_IN: dict[Part, Callable[[Case], bool]] = {
    Part.STATES: lambda case: bool(len(case.trace.spans)) and case.wall_ns > 0,
    Part.EXACT: lambda case: case.trace.origin is Origin.RECORDED,
    Part.GIL: lambda case: case.trace.gil and any(t.runs_python for t in case.trace.threads),
    Part.READY: lambda case: (
        case.trace.core_source is not CoreSource.NONE
        or any(one.cpu_ns is not None for one in case.trace.threads)
    ),
    Part.BASELINE: lambda case: any(one.name == "baseline" and one.wall_ns for one in case.passes),
    Part.FUNCTIONS: lambda case: case.recording.functions is not None,
    Part.MEMORY: lambda case: case.recording.memory is not None,
    Part.CORES: lambda case: case.recording.cores is not None,
    Part.COLLECTIONS: lambda case: any(one.collections is not None for one in case.trace.processes),
    Part.QUOTA: lambda case: case.strain is not None and case.strain.throttling is not None,
    Part.STRAIN: lambda case: case.strain is not None,
    Part.TASKS: lambda case: case.recording.tasks is not None and bool(case.recording.tasks.loops),
    Part.JOBS: lambda case: (
        case.recording.tasks is not None and bool(len(case.recording.tasks.jobs))
    ),
}


@dataclass(frozen=True)
class Answer:
    """What a rule says; ``gain_ns`` is what it costs on the critical path at most.

    ``cause`` and ``thing`` say what is to blame. ``explained_by`` are causes of which this is a
    mere symptom: where one of them is found, this becomes a part of its story.
    """

    severity: Severity
    summary: str
    explanation: str = ""
    remedy: str = ""
    where: tuple[str, ...] = ()
    window_ns: tuple[int, int] | None = None
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)
    prediction: Prediction | None = None
    gain_ns: int = 0
    cause: Cause = Cause.CODE
    thing: str = ""
    explained_by: frozenset[Cause] = frozenset()


@dataclass(frozen=True)
class Rule:
    """One rule: what it needs and how it judges; ``refines`` are more general rules.

    Where both find the same cause, the more special one speaks first.
    """

    id: str
    needs: frozenset[Part]
    check: Callable[[Case], Iterable[Answer]]
    refines: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Limits:
    """From which value a rule informs, and from which it warns."""

    info: float
    warn: float

    def judge(self, value: float) -> Severity:
        """Say how bad a value is."""
        if value >= self.warn:
            return Severity.WARNING
        return Severity.INFO if value >= self.info else Severity.OK


def fine(summary: str, **evidence: float | str) -> Answer:
    """Answer that nothing is wrong, with the figure that shows it."""
    return Answer(Severity.OK, summary, evidence=evidence)


def plural(count: int, one: str) -> str:
    """Write a count and its noun: ``1 thread``, ``4 threads``."""
    if count == 1:
        return f"1 {one}"
    return f"{count} {one[:-1]}ies" if one.endswith("y") else f"{count} {one}s"
