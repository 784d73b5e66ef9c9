"""What there is to tell of processes: how they came up, what messages cost, who waited at what."""

from dataclasses import dataclass

from concurtrace.model.states import Reason, State
from concurtrace.model.trace import ObjectKind


@dataclass(frozen=True)
class Phases:
    """When a process came up, in ns from the start of the run, in this order; None = not known.

    ``asked_ns`` is when the call began that made it, ``first_ns`` its first instruction,
    ``python_ns`` when its interpreter was ready, ``work_ns`` when its modules were imported and
    what it was made for began.
    """

    asked_ns: int
    first_ns: int | None
    python_ns: int | None
    work_ns: int | None
    end_ns: int

    @property
    def start_ns(self) -> int | None:
        """How long it took from the call that made it to its work; None where not known."""
        return None if self.work_ns is None else self.work_ns - self.asked_ns


@dataclass(frozen=True)
class MessageTimes:
    """Time on a core in passing messages, from samples, and in imports; ns."""

    sending_ns: int
    receiving_ns: int
    importing_ns: int


@dataclass(frozen=True)
class ProcessCost:
    """A process with its phases; ``row`` is that of the process in the trace.

    ``parent`` is the row of the process that started it, None for the first. ``messages`` is None
    where running threads were not sampled.
    """

    row: int
    parent: int | None
    phases: Phases
    messages: MessageTimes | None


@dataclass(frozen=True)
class Exchange:
    """Waits of one process at one thing that processes share, at one place in the code.

    ``object`` is the row of the queue, pipe or lock in the trace, 0 where it is not known;
    ``longest`` the row of the longest of these waits among the spans. ``where`` is the place, "" if
    it is not known.
    """

    row: int
    object: int
    kind: ObjectKind
    state: State
    reason: Reason
    writing: bool
    waits: int
    ns: int
    longest: int
    where: str


@dataclass(frozen=True)
class ProcessesReport:
    """The processes in order of their start, and their waits for each other, longest first.

    ``samples`` is how many samples of running threads the times of messages rest on.
    """

    samples: int
    costs: tuple[ProcessCost, ...]
    exchanges: tuple[Exchange, ...]
