"""The authoring API for workloads: the only module of concurtrace that a workload imports.

A workload is one module (or folder) under ``workloads/``. Its docstring is the description, its
``WORKLOAD`` says which parameters it takes, and each function marked with ``@WORKLOAD.mode()`` is
the same work in one model of concurrency::

    WORKLOAD = Workload(lessons=("A4",), parameters=(Parameter("size", 100, "numbers"),))

    @WORKLOAD.mode()
    def threads(work: Work) -> Result: ...
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum

Value = int | float | str
Record = tuple[Value | None, ...]


class ServiceError(Exception):
    """A service of a workload did not start or died; the message says why."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a workload: its default, its meaning and what it may be.

    ``minimum`` and ``maximum`` bound numbers, ``choices`` lists the allowed words, and ``presets``
    gives the values of ``tiny`` and ``large``.
    """

    name: str
    default: Value
    meaning: str
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[str, ...] = ()
    presets: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """A variant of a workload: the same lesson told with other means; all modes by default."""

    name: str
    meaning: str
    modes: tuple[str, ...] = ()


class FaultOutcome(Enum):
    """What a fault does to a run, every time."""

    WRONG_RESULT = "the result is wrong"
    HANG = "it never ends and is stopped at the time limit"
    EXCEPTION = "an exception ends it"
    COST = "the result is right, and the report shows what the fault costs"


@dataclass(frozen=True)
class Fault:
    """A mistake on purpose, with its certain outcome; in all modes and variants by default."""

    name: str
    meaning: str
    outcome: FaultOutcome
    modes: tuple[str, ...] = ()
    variant: str | None = None


NO_FAULT = "none"
HANG_LIMIT_S = 15.0
"""The time limit of a run whose fault is that it never ends, in seconds: longer than it takes to
notice a standstill, which says more than a limit that has passed."""


@dataclass(frozen=True)
class Work:
    """What one execution is given: its parameters and the addresses of its services."""

    parameters: Mapping[str, Value]
    services: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Return a parameter that is an integer."""
        return int(self.parameters[name])

    def text(self, name: str) -> str:
        """Return a parameter that is a word."""
        return str(self.parameters[name])

    @property
    def size(self) -> int:
        """How many items there are."""
        return self.number("size")

    @property
    def workers(self) -> int:
        """How many workers share the items."""
        return self.number("workers")

    @property
    def seed(self) -> int:
        """What the input is generated from."""
        return self.number("seed")

    @property
    def variant(self) -> str:
        """Which variant is run."""
        return self.text("variant")

    @property
    def fault(self) -> str:
        """Which fault is built in; ``none`` by default."""
        return self.text("fault")


@dataclass(frozen=True)
class Result:
    """What a mode returns: records that must be equal in every mode, and what may differ."""

    records: list[Record]
    observed: Mapping[str, Value] = field(default_factory=dict)

    @property
    def checksum(self) -> str:
        """The SHA-256 of the sorted records as canonical JSON; order and time do not matter."""
        rows = sorted(
            json.dumps(record, ensure_ascii=True, separators=(",", ":")) for record in self.records
        )
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


ModeFunction = Callable[[Work], Result]
ServiceFunction = Callable[[Work], Iterator[Mapping[str, str]]]
Requirement = Callable[[], str | None]


@dataclass(frozen=True)
class Mode:
    """One mode: its function, and the modules that are imported before the clock starts.

    ``before`` names a function, ``module:function``, that is called before anything else is
    imported: what monkey patching needs.
    """

    name: str
    function: ModeFunction
    imports: tuple[str, ...] = ()
    extra: str | None = None
    before: str | None = None

    @property
    def install_hint(self) -> str:
        """What to give to ``pip install`` for its imports."""
        return f'"concurtrace[{self.extra}]"' if self.extra else "--upgrade concurtrace"


SEED = Parameter("seed", 42, "what the input is generated from", 0, 2**31 - 1)
START_METHOD = Parameter(
    "start-method", "fork", "how processes are started", choices=("fork", "spawn", "forkserver")
)


class Workload:
    """The declaration of a workload; modes, services and a reference are added by decorators.

    ``variants`` and ``faults`` become the parameters of the same name; the first variant is the
    default. ``expects`` says which rules the diagnosis is to report first, by mode, or by
    ``mode/variant`` where they differ; a mode that is not in it expects no warning.
    """

    def __init__(
        self,
        *,
        lessons: tuple[str, ...] = (),
        parameters: tuple[Parameter, ...] = (),
        variants: tuple[Variant, ...] = (),
        faults: tuple[Fault, ...] = (),
        expects: Mapping[str, tuple[str, ...]] | None = None,
        default_mode: str | None = None,
    ) -> None:
        self.lessons = lessons
        self.variants = variants
        self.faults = faults
        self.expects = expects or {}
        self.parameters = (*parameters, *_choices(variants, faults), SEED)
        self.modes: dict[str, Mode] = {}
        self._default_mode = default_mode
        self._service: ServiceFunction | None = None
        self._reference: ModeFunction | None = None
        self._requirement: Requirement | None = None

    def mode(
        self,
        *,
        imports: tuple[str, ...] = (),
        extra: str | None = None,
        before: str | None = None,
    ) -> Callable[[ModeFunction], ModeFunction]:
        """Mark a function as a mode of the same name (``async_`` is ``async``).

        ``imports`` are imported before the clock starts; ``extra`` is the optional dependency
        group of concurtrace that provides them.
        """

        def mark(function: ModeFunction) -> ModeFunction:
            name = function.__name__.rstrip("_").replace("_", "-")
            self.modes[name] = Mode(name, function, imports, extra, before)
            return function

        return mark

    def service(self, function: ServiceFunction) -> ServiceFunction:
        """Mark a generator that starts what the work needs, yields addresses, and stops it.

        It runs in the launcher, never in the target, so that serving costs are not the target's.
        """
        self._service = function
        return function

    def reference(self, function: ModeFunction) -> ModeFunction:
        """Mark a function that works out the right result by another way than any mode."""
        self._reference = function
        return function

    def requirement(self, function: Requirement) -> Requirement:
        """Mark a function that says what the machine lacks for the work, and how to get it."""
        self._requirement = function
        return function

    def missing(self) -> str | None:
        """Say in a sentence why this workload can't run here; None if it can."""
        return self._requirement() if self._requirement is not None else None

    @property
    def default_mode(self) -> str:
        """The mode that runs when none is named: the declared one, or the first."""
        return self._default_mode or next(iter(self.modes))

    def expected(self, work: Work) -> Result:
        """Work out the right result: by the reference, or by the first mode where there is none."""
        function = self._reference or next(iter(self.modes.values())).function
        return function(work)

    def serve(self, work: Work) -> AbstractContextManager[Mapping[str, str]]:
        """Run the service around a block; without one, around nothing."""
        return contextmanager(self._service or _no_service)(work)


def _choices(variants: tuple[Variant, ...], faults: tuple[Fault, ...]) -> list[Parameter]:
    """Make the parameters ``variant`` and ``fault`` where there is something to choose."""
    made = []
    if variants:
        names = tuple(one.name for one in variants)
        made.append(Parameter("variant", names[0], "how the lesson is told", choices=names))
    if faults:
        names = (NO_FAULT, *(one.name for one in faults))
        made.append(Parameter("fault", NO_FAULT, "a mistake on purpose", choices=names))
    return made


def _no_service(_work: Work) -> Iterator[Mapping[str, str]]:
    yield {}
