"""A set that several threads may use: three ways to put a lock round every method, and what for.

The built-in set is not made for several threads that look and add. Here is one that locks itself:
as a `subclass` whose methods take the lock and call those of the parent, with a decorator on each
method (`method-decorator`), or with one decorator on the class, which does that to all methods it
is told (`class-decorator`). `plain` leaves the set as it is, and its users take the lock.

What to look for in the report: acquisitions and waits of that one lock, by method. The sections are
so short that threads hardly ever meet in one; they pay for the lock all the same. The faults:
`contains-none` forgets the `return` in `__contains__`, so that nothing is ever in the set;
`double-lock` decorates a class twice, which is refused, for its methods would wait for themselves;
`check-then-act` looks and adds in two steps: each is locked, but not what is between them.
"""

import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from concurtrace.workload import (
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

from ._models import run_threads

WORKLOAD = Workload(
    lessons=("A16",),
    default_mode="threads",
    parameters=(
        Parameter(
            "size",
            300_000,
            "operations of each kind",
            10,
            10_000_000,
            presets={"tiny": 400, "large": 1_000_000},
        ),
        Parameter("workers", 4, "threads that share them", 2, 256, presets={"tiny": 2}),
    ),
    variants=(
        Variant("subclass", "methods that lock and call the parent's"),
        Variant("method-decorator", "a decorator on each method"),
        Variant("class-decorator", "one decorator on the class"),
        Variant("plain", "users that take the lock themselves"),
    ),
    faults=(
        Fault(
            "contains-none",
            "__contains__ returns nothing",
            FaultOutcome.WRONG_RESULT,
            variant="subclass",
        ),
        Fault(
            "double-lock",
            "a class is decorated twice",
            FaultOutcome.EXCEPTION,
            variant="class-decorator",
        ),
        Fault(
            "check-then-act",
            "looking and adding are two steps",
            FaultOutcome.WRONG_RESULT,
            modes=("threads",),
            variant="method-decorator",
        ),
    ),
    expects={"threads": ("gil-saturation",)},
)

Method = TypeVar("Method", bound=Callable[..., Any])
CONTESTED = -1
"""What every worker tries to add first."""


class Register(set[int]):
    """A set that also tells whether it was changed; it does not lock anything."""

    def enter(self, item: int) -> bool:
        """Add an item; tell whether it is new."""
        before = len(self)
        self.add(item)
        return len(self) > before

    def leave(self, item: int) -> bool:
        """Take an item out; tell whether it was there."""
        before = len(self)
        self.discard(item)
        return len(self) < before


class LockedRegister(Register):
    """A subclass whose methods take a lock and call the parent's."""

    def __init__(self, items: Iterable[int]) -> None:
        super().__init__(items)
        self.lock = threading.Lock()

    def enter(self, item: int) -> bool:
        """Add an item; tell whether it is new."""
        with self.lock:
            return super().enter(item)

    def leave(self, item: int) -> bool:
        """Take an item out; tell whether it was there."""
        with self.lock:
            return super().leave(item)

    def __contains__(self, item: object) -> bool:
        """Tell whether an item is there."""
        with self.lock:
            return super().__contains__(item)


class ForgetfulRegister(LockedRegister):
    """The fault `contains-none`: without a return the answer is None, and None means no."""

    def __contains__(self, item: object) -> bool:  # type: ignore[return]
        """Find out whether an item is there, and tell nobody."""
        super().__contains__(item)


def locked(method: Method) -> Method:
    """Decorate a method: its object's lock is held while it runs."""

    @functools.wraps(method)
    def with_lock(self: Any, *arguments: Any) -> Any:
        with self.lock:
            return method(self, *arguments)

    return cast("Method", with_lock)


class DecoratedRegister(Register):
    """The same by a decorator on each method."""

    def __init__(self, items: Iterable[int]) -> None:
        super().__init__(items)
        self.lock = threading.Lock()

    @locked
    def enter(self, item: int) -> bool:
        """Add an item; tell whether it is new."""
        return super().enter(item)

    @locked
    def leave(self, item: int) -> bool:
        """Take an item out; tell whether it was there."""
        return super().leave(item)

    @locked
    def __contains__(self, item: object) -> bool:
        """Tell whether an item is there."""
        return super().__contains__(item)


def with_locked(*names: str) -> Callable[[type], type]:
    """Decorate a class: its named methods hold a lock, which each of its objects gets.

    TypeError for a class that was decorated before.
    """

    def decorate(cls: type) -> type:
        if getattr(cls, "locked_methods", ()):
            raise TypeError(f"{cls.__name__} locks itself already: it would wait for itself")

        def create(self: Any, *arguments: Any) -> None:
            cls.__init__(self, *arguments)  # type: ignore[misc]
            self.lock = threading.Lock()

        methods = {name: locked(getattr(cls, name)) for name in names}
        members = {"__init__": create, "locked_methods": names, **methods}
        return type(f"Locked{cls.__name__}", (cls,), members)

    return decorate


@dataclass(frozen=True)
class Desk:
    """The set, what its users hold while they use it, and where the fault makes them meet."""

    register: Register
    guard: AbstractContextManager[Any]
    meeting: threading.Barrier | None = None


def open_desk(work: Work) -> Desk:
    """Make the set as the variant has it, with a reserved item for each operation."""
    reserved = [-2 - index for index in range(work.size)]
    if work.variant == "plain":
        return Desk(Register(reserved), threading.Lock())
    if work.variant == "method-decorator":
        fault = work.fault == "check-then-act"
        # All look before the first adds: this makes the fault certain, not possible.
        meeting = threading.Barrier(work.workers) if fault else None
        return Desk(DecoratedRegister(reserved), nullcontext(), meeting)
    if work.variant == "class-decorator":
        decorate = with_locked("enter", "leave", "__contains__")
        decorated = decorate(Register)
        if work.fault == "double-lock":
            decorated = decorate(decorated)
        return Desk(decorated(reserved), nullcontext())
    kind = ForgetfulRegister if work.fault == "contains-none" else LockedRegister
    return Desk(kind(reserved), nullcontext())


def item(seed: int, index: int) -> int:
    """Return what an operation adds; many add the same."""
    # Knuth's multiplicative hash; a generator for each would take longer than the adding.
    return (index * 2_654_435_761 + seed >> 8) % 5000


def use(work: Work, desk: Desk, part: int) -> tuple[int, int, int]:
    """Add, look and take out: what each worker does. Return how often each had an effect."""
    added, found, left = int(enter_contested(desk)), 0, 0
    register, guard = desk.register, desk.guard
    for index in range(part, work.size, work.workers):
        with guard:
            added += register.enter(item(work.seed, index))
        with guard:
            found += -2 - index in register
        if index % 2:
            with guard:
                left += register.leave(-2 - index)
    return added, found, left


def enter_contested(desk: Desk) -> bool:
    """Add what all others want to add too; tell whether we were the first."""
    if desk.meeting is None:
        with desk.guard:
            return desk.register.enter(CONTESTED)
    is_new = CONTESTED not in desk.register
    desk.meeting.wait()
    if is_new:
        desk.register.enter(CONTESTED)
    return is_new


def outcome(desk: Desk, effects: Sequence[tuple[int, int, int]]) -> Result:
    """Say what is in the set in the end, and how many operations had an effect."""
    records: list[Record] = [(member,) for member in desk.register]
    added, found, left = map(sum, zip(*effects, strict=True))
    return Result([*records, ("added", added), ("found", found), ("left", left)])


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads that use the same set."""
    desk = open_desk(work)
    jobs = [(use, (work, desk, part)) for part in range(work.workers)]
    return outcome(desk, run_threads(jobs, "clerk"))


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One after the other: the price of the lock where nobody else is."""
    desk = open_desk(work)
    return outcome(desk, [use(work, desk, part) for part in range(work.workers)])


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Work the end out without any set that is shared."""
    items = {item(work.seed, index) for index in range(work.size)} | {CONTESTED}
    odd = work.size // 2
    members = items | {-2 - index for index in range(0, work.size, 2)}
    counts: list[Record] = [("added", len(items)), ("found", work.size), ("left", odd)]
    return Result([*((member,) for member in members), *counts])
