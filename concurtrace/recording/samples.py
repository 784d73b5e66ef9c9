"""Python stacks of running threads, from the samples that the watcher took."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.recording import Function, Loss
from concurtrace.model.spans import NO_CORE, Frame, Samples
from concurtrace.model.states import State
from concurtrace.recording.layout import STATE_CODES
from concurtrace.recording.tables import LocalStacks, StackTable, translate
from concurtrace.recording.watched import HeadFlag, Kind, read_head, read_table

_GIL_HELD, _ON_CPU, _CPU_KNOWN, _WAITS = 1, 2, 4, 16
_STRING, _CODE, _STACK, _IMAGE = 1, 2, 3, 4
_DEEPEST = 512
"""A chain of callers that is longer can only be damage."""
_NAME = struct.Struct("<II")
_PAIR = struct.Struct("<II")
_FOUR = struct.Struct("<IIII")


@dataclass(frozen=True)
class Sampling:
    """How the sampling went: times in nanoseconds, counts of ticks and samples.

    A tick looks at all threads; ``late`` ones came more than half an interval late, ``missed``
    ones never. ``torn`` samples were given up because the thread ran on while it was read.
    """

    interval_ns: int
    ticks: int
    late: int
    missed: int
    samples: int
    torn: int
    failed: int


@dataclass(frozen=True, eq=False)
class SampleRead:
    """Samples in order of time, and how they came about."""

    samples: Samples
    sampling: Sampling
    losses: tuple[Loss, ...] = ()


def read_samples(folder: Path, stacks: StackTable) -> SampleRead:
    """Decode the samples of a folder, adding their stacks to a trace's table.

    UnreadableError if the tables are damaged. Where the core of a thread is known it decides: who
    was off it was RUNNABLE, who was on it inside of a call did not wait there.
    """
    items = read_table(folder, Kind.SAMPLES).items
    names = Names()
    names.read(read_table(folder, Kind.NAMES).items.tobytes())
    rows = stacks.add(names.stacks)
    # Of long waits the stack is read too, for those who look at the target while it runs.
    items = items[(items["flags"] & _WAITS) == 0]
    ordered = items[np.argsort(items["time_ns"], kind="stable")]
    on_cpu = (ordered["flags"] & _ON_CPU) != 0
    samples = Samples(
        ordered["time_ns"].astype(np.int64),
        ordered["tid"].astype(np.uint32),
        _states(ordered).astype(np.uint8),
        np.where(on_cpu, ordered["cpu"].astype(np.int16), NO_CORE).astype(np.int16),
        translate(rows, ordered["stack"].astype(np.uint32)),
        ordered["gap_ns"].astype(np.int64),
    )
    head = read_head(folder)
    return SampleRead(
        samples,
        _sampling(head),
        (*_losses(head), *names.losses()),
    )


def _states(items: NDArray[Any]) -> NDArray[Any]:
    flags = items["flags"]
    state: NDArray[Any] = STATE_CODES[items["state"]]
    on_cpu = (flags & _ON_CPU) != 0
    called = on_cpu & ~np.isin(state, (State.RUNNING.code, State.RUNNING_NOGIL.code))
    held = (flags & _GIL_HELD) != 0
    state[called] = np.where(held, State.RUNNING.code, State.RUNNING_NOGIL.code)[called]
    state[((flags & _CPU_KNOWN) != 0) & ~on_cpu] = State.RUNNABLE.code
    return state


def _sampling(head: Any) -> Sampling:
    return Sampling(
        interval_ns=int(head["interval_ns"]),
        ticks=int(head["ticks"]),
        late=int(head["ticks_late"]),
        missed=int(head["ticks_missed"]),
        samples=int(head["samples"]),
        torn=int(head["samples_torn"]),
        failed=int(head["samples_failed"]),
    )


_FEW = 3
"""Samples that a short run may lose: less than what one sample more or less says of any share."""


def _losses(head: Any) -> Iterator[Loss]:
    if int(head["flags"]) & HeadFlag.NO_READ:
        yield Loss(
            "Python stacks of running threads",
            "reading the target's memory is not permitted here (ptrace_scope, seccomp)",
        )
    elif int(head["images_blind"]):
        what = f"Python stacks of running threads of {int(head['images_blind'])} processes"
        yield Loss(what, "the layout of their Python is not known")
    for lost, why in (
        (int(head["samples_torn"]), "the thread ran on while its stack was read"),
        (int(head["samples_failed"]), "the process was gone"),
    ):
        # A few always are, and change no share that a report shows.
        if lost > max(_FEW, int(head["samples"]) // 100):
            yield Loss(f"{lost} samples of running threads", why)
    if int(head["samples_dropped"]):
        what = f"{int(head['samples_dropped'])} samples of running threads"
        yield Loss(what, "the size limit was reached")


@dataclass
class Names:
    """The watcher's interned names as they are read; what is damaged is left out and counted."""

    stacks: LocalStacks = field(default_factory=LocalStacks)
    strings: dict[int, str] = field(default_factory=dict)
    damaged: int = 0

    def read(self, content: bytes) -> None:
        """Decode records, which may refer to those that were read before."""
        at = 0
        while at + _NAME.size <= len(content):
            kind, size = _NAME.unpack_from(content, at)
            if size < _NAME.size or size % 8 or at + size > len(content):
                self.damaged += 1
                return
            try:
                self._record(kind, content[at + _NAME.size : at + size])
            except (struct.error, KeyError):
                self.damaged += 1
            at += size

    def _record(self, kind: int, body: bytes) -> None:
        if kind == _STRING:
            number, length = _PAIR.unpack_from(body)
            self.strings[number] = body[_PAIR.size : _PAIR.size + length].decode(errors="replace")
        elif kind == _CODE:
            number, title, file, line = _FOUR.unpack_from(body)
            self.stacks.functions[number] = Function(self.strings[file], line, self.strings[title])
        elif kind == _STACK:
            number, parent, code, line = _FOUR.unpack_from(body)
            self.stacks.frames[number] = (parent, code, line)
        elif kind != _IMAGE:
            self.damaged += 1

    def frames(self, stack: int) -> tuple[Frame, ...]:
        """Return the frames of a stack by its own number, innermost first."""
        found: list[Frame] = []
        while stack in self.stacks.frames and len(found) < _DEEPEST:
            stack, code, line = self.stacks.frames[stack]
            found.append(Frame(self.stacks.functions.get(code, Function("?", 0, "?")), line))
        return tuple(found)

    def losses(self) -> Iterator[Loss]:
        """Say what could not be read."""
        if self.damaged:
            yield Loss("names in sampled stacks", f"parts of the file are damaged ({self.damaged})")
