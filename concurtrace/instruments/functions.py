"""cProfile in every thread of every process: exact calls, own and total time of functions."""

from __future__ import annotations

import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from concurtrace.instruments import Instrument, Options, Probe, Site
from concurtrace.instruments._cprofile import ThreadStats, make_collector
from concurtrace.instruments._files import decoding, read_json, write_json
from concurtrace.model.recording import (
    CallEdge,
    Function,
    FunctionProfile,
    FunctionStats,
    FunctionTable,
    Loss,
    Recording,
)

if TYPE_CHECKING:
    from concurtrace.instruments._files import Document
    from concurtrace.rundir.processes import RegisteredProcess

_SUFFIX = ".json"
_FORMAT = 1
_BUILTIN = "~"
# A builtin under the name of a method that overrides it is shown with that one's address.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_OURS = tuple(
    str(Path(__file__).parents[1] / name) for name in ("launch", "instruments", "on_import.py")
)

_RESUMPTIONS = (
    "Calls of generators and coroutines count every resumption, and what passes while they are"
    " suspended in an await is not in their total time."
)
_WALL_TIME = (
    "Times are wall time of each thread: waiting for the GIL, a lock or I/O is time of the function"
    " that waits, so times added up over threads may exceed the time that passed."
)
_GREENLETS = (
    "gevent switched greenlets under the profiler: calls are right, but recursion, times and"
    " callers are mixed between greenlets"
)


class Functions(Instrument):
    """Count calls and times of functions with cProfile, per thread and process."""

    name = "functions"
    summary = "calls, own and total time of every function, per thread and process (cProfile)"

    def probe(self, site: Site) -> Probe:
        """Make the profiler of one process."""
        return _FunctionsProbe(site)

    def read(self, out: Path, options: Options) -> Recording:
        """Decode the tables of all processes; those that left none are losses."""
        from concurtrace.rundir.processes import missing_files, read_processes

        tables: list[FunctionTable] = []
        losses = list(missing_files(out.parent, out, _SUFFIX))
        notes: set[str] = set()
        for stem, process in read_processes(out.parent).items():
            path = out / (stem + _SUFFIX)
            if path.exists():
                content = read_json(path, _FORMAT)
                with decoding(path):
                    tables.extend(_tables(process, content))
                    losses.extend(
                        Loss(f"{what} of {_words(process)}", why) for what, why in content["losses"]
                    )
                    notes.update(content["notes"])
        if len(tables) > 1:
            notes.add(_WALL_TIME)
        profile = FunctionProfile(tuple(tables), tuple(losses), tuple(sorted(notes)))
        return Recording(functions=profile)


class _FunctionsProbe(Probe):
    """The profiler of one process."""

    def __init__(self, site: Site) -> None:
        self._path = site.file(_SUFFIX)
        self._collector = make_collector()

    def begin(self) -> None:
        """Profile all threads from now on."""
        self._collector.start()

    def end(self) -> None:
        """Stop and write the tables."""
        threads = self._collector.stop()
        missed = [f"thread {name}" for name in self._collector.missed]
        content = _Encoder().encode(threads)
        content["losses"] += [(name, "it ran before watching began") for name in missed]
        write_json(self._path, content)

    def abandon(self) -> None:
        """Stop what a forked child inherited."""
        self._collector.forget()


class _Encoder:
    """Turns profiler entries into rows of numbers, functions being named once per process."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, int, str], int] = {}
        self._notes: set[str] = set()

    def encode(self, threads: list[ThreadStats]) -> dict[str, Any]:
        """Return the content of the raw file."""
        tables = [{"tid": one.tid, "name": one.name, **self._table(one.entries)} for one in threads]
        losses = [(f"thread {one.tid}", reason) for one in threads for reason in one.losses]
        if "gevent" in sys.modules:
            losses.append(("times", _GREENLETS))
        return {
            "format": _FORMAT,
            "functions": list(self._functions),
            "threads": [table for table in tables if table["stats"]],
            "losses": losses,
            "notes": sorted(self._notes),
        }

    def _table(self, entries: list[Any]) -> dict[str, Any]:
        """Add up a thread's entries: a function defined twice has two code objects but one row.

        Our own functions are left out, and so are the calls that they made to builtins.
        """
        stats: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        edges: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
        for entry in entries:
            caller = None if _is_ours(entry.code) else self._number(entry.code)
            if caller is not None:
                _add(stats[caller], _numbers(entry))
            for called in entry.calls or ():
                if _is_ours(called.code):
                    continue
                callee = self._number(called.code)
                calls, recursive, own_ns, total_ns = _numbers(called)
                if caller is not None:
                    _add(edges[caller, callee], (calls, own_ns, total_ns))
                elif type(called.code) is str:
                    _add(stats[callee], (-calls, -recursive, -own_ns, -total_ns))
        return {
            "stats": [(key, *row) for key, row in stats.items() if row[0]],
            "edges": [(*key, *row) for key, row in edges.items()],
        }

    def _number(self, code: CodeType | str) -> int:
        if isinstance(code, str):
            key = (_BUILTIN, 0, _ADDRESS.sub("", code))
        else:
            key = (code.co_filename, code.co_firstlineno, code.co_qualname)
            if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
                self._notes.add(_RESUMPTIONS)
        return self._functions.setdefault(key, len(self._functions))


def _numbers(entry: Any) -> tuple[int, int, int, int]:
    """Return calls, recursive calls, own and total nanoseconds of an entry, which has seconds."""
    return (
        entry.callcount,
        entry.reccallcount,
        round(entry.inlinetime * 1e9),
        round(entry.totaltime * 1e9),
    )


def _add(row: list[int], numbers: tuple[int, ...]) -> None:
    for index, number in enumerate(numbers):
        row[index] += number


def _is_ours(code: CodeType | str) -> bool:
    return not isinstance(code, str) and code.co_filename.startswith(_OURS)


def _words(process: RegisteredProcess) -> str:
    return f"process {process.key.name} ({process.key.pid})"


def _tables(process: RegisteredProcess, content: Document) -> Iterator[FunctionTable]:
    functions = [Function(*one) for one in content["functions"]]
    for thread in content["threads"]:
        rows = {key: row for row, (key, *_) in enumerate(thread["stats"])}
        tid = thread["tid"]
        unknown = "MainThread" if tid == process.key.pid else f"thread {tid}"
        yield FunctionTable(
            process=process.key,
            tid=tid,
            thread=process.threads.get(tid) or thread["name"] or unknown,
            stats=tuple(
                FunctionStats(functions[key], calls, calls - recursive, own_ns, total_ns)
                for key, calls, recursive, own_ns, total_ns in thread["stats"]
            ),
            edges=tuple(
                CallEdge(rows[caller], rows[callee], calls, own_ns, total_ns)
                for caller, callee, calls, own_ns, total_ns in thread["edges"]
                if caller in rows and callee in rows
            ),
        )


INSTRUMENT = Functions()
