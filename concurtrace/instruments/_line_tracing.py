"""line_profiler in every thread of one process, on code that it is given.

Each thread is traced from its start instead of each function being wrapped, so that coroutines,
nested functions and whatever was pickled or kept elsewhere are watched as they are.

line_profiler recognises a function by its bytecode alone, and so pads that of each it is given
with instructions that do nothing. The same is done here (see ``_padding``) for functions that are
loaded. Those that are not, such as the ones of a script that is about to begin, are recognised by
their code as it is; if another function has the same at the same line, ``ambiguous`` tells.
"""

from __future__ import annotations

import _thread
import gc
import opcode
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any

from concurtrace.instruments._padding import is_padded, pad_loaded, padded
from concurtrace.instruments._threads import EveryThread, running_threads

_ARRIVAL = {
    opcode.opmap[name]
    for name in ("CACHE", "COPY_FREE_VARS", "MAKE_CELL", "POP_TOP", "RESUME", "RETURN_GENERATOR")
    if name in opcode.opmap
}


@dataclass(frozen=True)
class Rows:
    """Lines as (file, line, qualified name of the function, hits, nanoseconds).

    ``ambiguous`` has what may not be right, and why; ``some_run`` says that lines ran when this was
    made: they count as hit.
    """

    rows: list[tuple[str, int, str, int, int]]
    ambiguous: list[tuple[str, str]]
    some_run: bool


def register(profiler: Any, code: CodeType) -> None:
    """Let a profiler watch code as it is; RuntimeError if the profiler would change it."""
    if not is_padded(code):
        # How many instructions the profiler would pad it with.
        profiler._all_paddings[code.co_code] = 0
    cells = tuple(CellType() for _ in code.co_freevars)
    function = FunctionType(code, {}, closure=cells)
    profiler.add_function(function)
    if function.__code__.co_code != code.co_code:
        raise RuntimeError("it changes the code of functions")


class LineTracing:
    """Traces the lines of the given code in this process between start and stop."""

    def __init__(self, codes: Collection[CodeType]) -> None:
        from line_profiler import LineProfiler

        distinct = pad_loaded({code.co_filename for code in codes})
        self._unpadded = [code for code in codes if code.co_filename not in distinct]
        watched = [*self._unpadded, *(padded(one) for one in codes if one.co_filename in distinct)]
        self._codes = {(code.co_filename, code) for code in watched}
        self._profiler: Any = LineProfiler()
        for code in watched:
            register(self._profiler, code)
        self._every_thread = EveryThread(self._enable, self._disable)
        self._tracers: dict[int, Any] = {}
        self._begun_before: set[tuple[int, int]] = set()
        self.losses: list[tuple[str, str]] = []
        self.threads = 0

    def start(self) -> None:
        """Trace the calling thread and all that start from now on."""
        here = _thread.get_ident()
        for ident, name in running_threads().items():
            if ident != here:
                self.losses.append((f"thread {name}", "it ran before watching began"))
        self._begun_before = {(id(one), one.f_lasti) for one in _stack(sys._getframe())}
        self._every_thread.enter()
        self._enable()

    def stop(self) -> None:
        """Stop tracing the calling thread; others that still run have no one to tell."""
        self._disable()
        self._every_thread.exit()

    def rows(self) -> Rows:
        """Return hits and times of all lines up to now."""
        collecting = gc.isenabled()
        # A finalizer could let another thread in, which would change what is being read.
        gc.disable()
        try:
            stats = self._profiler.get_stats()
        finally:
            if collecting:
                gc.enable()
        found: dict[tuple[str, int, str], list[int]] = defaultdict(lambda: [0, 0])
        for (file, _, name), lines in stats.timings.items():
            for line, hits, time in lines:
                row = found[file, line, name]
                row[0] += hits
                row[1] += round(time * stats.unit * 1e9)
        running = list(self._running())
        for key in running:
            found[key][0] += 1
        rows = [(*key, hits, time_ns) for key, (hits, time_ns) in found.items()]
        return Rows(
            rows,
            ambiguous(self._unpadded, {(file, line) for file, line, _ in found}),
            bool(running),
        )

    def _running(self) -> Iterator[tuple[str, int, str]]:
        """Find the watched lines that run: they are counted only when the next one begins."""
        for ident, innermost in sys._current_frames().items():
            if ident not in self._tracers:
                continue
            for frame in _stack(innermost):
                code = frame.f_code
                begun_before = (id(frame), frame.f_lasti) in self._begun_before
                if (code.co_filename, code) in self._codes and not begun_before:
                    yield code.co_filename, frame.f_lineno, code.co_qualname

    def _enable(self) -> None:
        self.threads += 1
        self._profiler.enable()
        self._tracers[_thread.get_ident()] = sys.gettrace()

    def _disable(self) -> None:
        tracer = self._tracers.pop(_thread.get_ident(), None)
        if tracer is None:
            return
        if sys.gettrace() is not tracer:
            what = f"lines of thread {_thread.get_native_id()}"
            self.losses.append((what, "the program set a trace function of its own"))
        self._profiler.disable()


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def ambiguous(codes: Iterable[CodeType], hit: set[tuple[str, int]]) -> list[tuple[str, str]]:
    """Find the hit lines whose hits may be another function's: same bytecode at the same line.

    Of the functions of the standard library, 1.3 % have such a twin in another file.
    """
    known: dict[tuple[bytes, int], CodeType] = {}
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for code in codes:
        for line in _lines(code):
            if (code.co_filename, line) in hit:
                first = known.setdefault((code.co_code, line), code)
                if first.co_filename != code.co_filename:
                    found[first.co_filename, line].add(_words(code))
    watched = {code.co_filename for code in known.values()}
    for other in _loaded_code({line for _, line in known}):
        if other.co_filename in watched:
            continue
        for line in _lines(other):
            mine = known.get((other.co_code, line))
            if mine is not None:
                found[mine.co_filename, line].add(_words(other))
    return [
        (f"line {line} of {file}", f"its hits may include those of {' and '.join(sorted(others))}")
        for (file, line), others in sorted(found.items())
    ]


def _words(code: CodeType) -> str:
    return f"{code.co_qualname} in {code.co_filename}"


def _loaded_code(lines: set[int]) -> Iterator[CodeType]:
    """Yield the code of all functions that exist and may have one of these lines."""
    # Decorators stand before the line that a function's own code begins with.
    nearby = {line - above for line in lines for above in range(20)}
    for thing in gc.get_objects():
        if type(thing) is FunctionType:
            yield from _nested(thing.__code__, nearby)


def _nested(code: CodeType, first_lines: set[int]) -> Iterator[CodeType]:
    if code.co_firstlineno in first_lines:
        yield code
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from _nested(constant, first_lines)


def _lines(code: CodeType) -> set[int]:
    """Return the lines that can be hit: not that of ``def``, where a call only arrives."""
    instructions = code.co_code
    return {
        line
        for start, end, line in code.co_lines()
        if line and not _ARRIVAL.issuperset(instructions[start:end:2])
    }
