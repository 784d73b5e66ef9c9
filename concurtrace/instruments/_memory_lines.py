"""memory_profiler's line profiler, made fit for threads, coroutines, nesting and hot loops.

What memory_profiler 0.61 measures stays: resident memory before and after each executed line,
seen by ``sys.settrace``. What differs, and why:

* One profiler per thread: it keeps one stack of lines, which threads would mix up.
* The memory before a line is kept per frame. It looks it up by line number in the function that
  runs, so a call of another profiled function counts the whole process as an increment.
* Resident memory is read from /proc/self/statm, as psutil does, without making a psutil.Process
  each time: some 10 microseconds per line rather than 43 to 171.
* A function is left alone after ``line_budget`` lines, so a hot loop does not take minutes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from concurtrace.instruments._rss import rss_bytes


def _import_memory_profiler() -> ModuleType:
    """Import it without IPython, whose magics it offers: that takes longer than many programs."""
    import importlib

    hidden = "IPython" not in sys.modules
    if hidden:
        sys.modules["IPython"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("memory_profiler")
    finally:
        if hidden:
            del sys.modules["IPython"]


if TYPE_CHECKING:
    import memory_profiler
else:
    memory_profiler = _import_memory_profiler()

_SUSPENDABLE = 0x20 | 0x80 | 0x200  # inspect.CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR

Trace = Callable[[FrameType, str, Any], Any]
Counted = tuple[int, int, int]
"""What memory_profiler's CodeMap holds for a line: increment, highest reading, occurrences."""


class Outcome(Enum):
    """Whether the thread that ends the measuring still had our trace function."""

    KEPT = "kept"
    REPLACED = "replaced"


class LineMemory:
    """Measures the watched functions in all threads of this process, from ``begin`` to ``end``."""

    def __init__(self, codes: Iterable[CodeType], line_budget: int) -> None:
        # Equal code may be in two files, and a hash of code takes longer than a line: by identity.
        self._wanted = {(code.co_filename, code): code for code in codes}
        self._known: dict[int, tuple[CodeType, CodeType | None]] = {}
        self._left = dict.fromkeys(map(id, self._wanted.values()), line_budget)
        self._refused: set[CodeType] = set()
        self._here = threading.local()
        self._profilers: list[_ThreadProfiler] = []

    def begin(self) -> None:
        """Measure this thread and those that are started from now on."""
        threading.settrace(self._begin_thread)
        profiler = self._profiler()
        profiler.enable()
        profiler.adopt(sys._getframe(1))

    def end(self) -> Outcome:
        """Leave this thread and new ones alone; other threads notice at their next line."""
        threading.settrace(None)
        for profiler in self._profilers:
            profiler.finished = True
        here: _ThreadProfiler | None = getattr(self._here, "profiler", None)
        if here is None or sys.gettrace() != here.trace_memory_usage:
            return Outcome.REPLACED
        here.disable()
        return Outcome.KEPT

    def find(self, code: CodeType) -> CodeType | None:
        """Return the watched code that this is; None if it is not watched."""
        entry = self._known.get(id(code))
        if entry is None:
            wanted = self._wanted.get((code.co_filename, code))
            # The code is kept, so that its identity is not given to another.
            entry = self._known[id(code)] = (code, wanted)
        return entry[1]

    def may(self, code: CodeType) -> bool:
        """Tell whether a watched function has anything left of its budget."""
        if self._left[id(code)] > 0:
            return True
        self._refused.add(code)
        return False

    def spend(self, code: CodeType) -> None:
        """Take a line from the budget of a watched function."""
        self._left[id(code)] -= 1

    def lines(self) -> Iterator[tuple[CodeType, int, Counted]]:
        """List the figures of every line of all threads."""
        for profiler in self._profilers:
            for code, lines in list(profiler.code_map.values()):
                for line, counted in list(lines.items()):
                    yield code, line, counted

    def exhausted(self) -> list[CodeType]:
        """List the functions that were left alone before the end."""
        return sorted(self._refused, key=lambda code: (code.co_filename, code.co_firstlineno))

    def _begin_thread(self, frame: FrameType, event: str, arg: Any) -> Trace | None:
        profiler = self._profiler()
        profiler.enable()
        return profiler.trace_memory_usage(frame, event, arg)

    def _profiler(self) -> _ThreadProfiler:
        profiler: _ThreadProfiler | None = getattr(self._here, "profiler", None)
        if profiler is None:
            profiler = self._here.profiler = _ThreadProfiler(self)
            self._profilers.append(profiler)
        return profiler


class _CodeMap(memory_profiler.CodeMap):  # type: ignore[misc]
    """The figures of one thread in bytes: by identity of the code, the code and its lines."""

    def lines_of(self, code: CodeType) -> dict[int, Counted]:
        lines: dict[int, Counted] = self.setdefault(id(code), (code, {}))[1]
        return lines


class _ThreadProfiler(memory_profiler.LineProfiler):  # type: ignore[misc]
    """memory_profiler's profiler of one thread, with one open line per frame."""

    def __init__(self, owner: LineMemory) -> None:
        super().__init__()
        self.code_map = _CodeMap(include_children=False, backend=self.backend)
        self.finished = False
        self._owner = owner
        self._open: dict[FrameType, _OpenLine] = {}

    def adopt(self, frame: FrameType | None) -> None:
        """Go on with functions that are under way, as after a fork inside one of them."""
        while frame is not None:
            code = self._owner.find(frame.f_code)
            if code is not None:
                frame.f_trace = self.trace_memory_usage
                self._open_line(frame, code, frame.f_lineno)
            frame = frame.f_back

    def trace_memory_usage(self, frame: FrameType, event: str, arg: Any) -> Trace | None:
        """Do what memory_profiler's method of this name does; called by the interpreter."""
        if self.finished:
            frame.f_trace = None
            return None
        if event == "call":
            return self._call(frame)
        line = self._open.get(frame)
        if line is None or event not in ("line", "return"):
            return self.trace_memory_usage
        reading = rss_bytes()
        line.close(reading)
        if event == "return" or not self._owner.may(line.code):
            del self._open[frame]
            frame.f_trace = None
            return None
        self._owner.spend(line.code)
        line.number, line.hits, line.before = frame.f_lineno, 1, reading
        return self.trace_memory_usage

    def _call(self, frame: FrameType) -> Trace | None:
        code = self._owner.find(frame.f_code)
        if code is None or not self._owner.may(code):
            return None
        # A coroutine or generator goes on in the line that it stopped in, which was counted then.
        resumed = code.co_flags & _SUSPENDABLE and frame.f_lineno != code.co_firstlineno
        self._open_line(frame, code, frame.f_lineno if resumed else 0)
        return self.trace_memory_usage

    def _open_line(self, frame: FrameType, code: CodeType, number: int) -> None:
        self._open[frame] = _OpenLine(code, self.code_map.lines_of(code), number, rss_bytes())


class _OpenLine:
    """A line that is being executed; number 0 before the first one of a function."""

    __slots__ = ("before", "code", "hits", "lines", "number")

    def __init__(self, code: CodeType, lines: dict[int, Counted], number: int, before: int) -> None:
        self.code = code
        self.lines = lines
        self.number = number
        self.before = before
        self.hits = 0

    def close(self, reading: int) -> None:
        """Count the line, now that it was executed."""
        if self.number:
            increment, peak, hits = self.lines.get(self.number, (0, 0, 0))
            self.lines[self.number] = (
                increment + reading - self.before,
                max(peak, reading),
                hits + self.hits,
            )
