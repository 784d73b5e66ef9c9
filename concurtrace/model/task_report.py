"""What a report tells of event loops and tasks; times in nanoseconds from the start of the run."""

from collections.abc import Mapping
from dataclasses import dataclass

from concurtrace.model.states import State
from concurtrace.model.tasks import Await, FaultKind, Flavour, Outcome, TaskState


@dataclass(frozen=True)
class BlockedStep:
    """A step in which the loop stood still: what ran, where, and who was late because of it.

    Of ``ns`` the thread slept ``off_core_ns`` in the kernel, in ``state``; ``call`` says in what.
    ``state`` is None where it mostly worked, or wanted to: had no core, or not the GIL.
    ``late`` tasks and callbacks were ready meanwhile and lost ``late_ns`` together.
    """

    start_ns: int
    ns: int
    off_core_ns: int
    task: str
    coroutine: str
    where: str
    call: str
    state: State | None
    late: int
    late_ns: int


@dataclass(frozen=True)
class LoopReport:
    """An event loop: how busy it was and how late what it ran.

    ``utilisation`` is the share of its time not spent waiting for events. ``busy_ns`` is made of
    steps of tasks, of callbacks, and of the loop itself. ``lag`` lists (from ns, how many
    callbacks were late by that much). ``ready_mean`` is the mean number run in a round.
    """

    pid: int
    tid: int
    thread: str
    name: str
    flavour: Flavour
    start_ns: int
    end_ns: int
    utilisation: float
    busy_ns: int
    idle_ns: int
    steps: int
    steps_ns: int
    callbacks: int
    callbacks_ns: int
    iterations: int
    longest_iteration_ns: int
    lag_p50_ns: int | None
    lag_p99_ns: int | None
    lag_max_ns: int | None
    ready_mean: float
    ready_most: int
    lag: tuple[tuple[int, int], ...]
    blocked: tuple[BlockedStep, ...]


@dataclass(frozen=True)
class TaskReport:
    """A task: exact time per state, what it awaited, and how it ended.

    ``awaits`` divides the AWAITING time that is known singly; ``waits_at`` is where it waited
    last, ``on`` the task that it waited for. ``parent`` and ``waiter`` are task names. If it was
    asked to end, ``cancelled_at`` is where, and ``cancelled_by`` the task that did.
    """

    pid: int
    name: str
    coroutine: str
    created_at: str
    parent: str
    waiter: str
    outcome: Outcome
    start_ns: int
    end_ns: int
    states: Mapping[TaskState, int]
    awaits: Mapping[Await, int]
    steps: int
    longest_step_ns: int
    longest_ready_ns: int
    waits_at: str
    on: str
    cancelled_by: str = ""
    cancelled_at: str = ""


@dataclass(frozen=True)
class TaskKind:
    """All tasks of one coroutine, made at one place; ``outcomes`` says how many ended how."""

    coroutine: str
    created_at: str
    count: int
    states: Mapping[TaskState, int]
    awaits: Mapping[Await, int]
    outcomes: Mapping[Outcome, int]
    steps: int
    longest_step_ns: int


@dataclass(frozen=True)
class AwaitNode:
    """A node of the await tree: tasks of one coroutine below the same chain of who awaits whom.

    ``waits_at`` is where most of their waiting was.
    """

    coroutine: str
    count: int
    states: Mapping[TaskState, int]
    waits_at: str
    children: tuple["AwaitNode", ...]


@dataclass(frozen=True)
class AwaitPlace:
    """A place where tasks waited for one kind of thing; exact sums. ``peers`` are who answered."""

    where: str
    how: str
    kind: Await
    count: int
    ns: int
    longest_ns: int
    ready_ns: int
    peers: tuple[str, ...]


@dataclass(frozen=True)
class TaskFault:
    """What went wrong with nobody being told."""

    kind: FaultKind
    text: str
    where: str
    count: int


@dataclass(frozen=True)
class TaskPathStep:
    """Time on the critical path of the loop's tasks: in one coroutine, one way, at one place."""

    what: str
    coroutine: str
    where: str
    ns: int


@dataclass(frozen=True)
class TasksReport:
    """Event loops and tasks of the run; ``tasks`` are those that lived longest."""

    loops: tuple[LoopReport, ...]
    tasks: tuple[TaskReport, ...]
    task_count: int
    kinds: tuple[TaskKind, ...]
    tree: tuple[AwaitNode, ...]
    places: tuple[AwaitPlace, ...]
    faults: tuple[TaskFault, ...]
    steps: int
    steps_kept: int
    most_alive: int
    path: tuple[TaskPathStep, ...] = ()
