"""line_profiler in every thread of every process: exact hits and time of each line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from concurtrace.instruments import Instrument, Options, Probe, Site
from concurtrace.instruments._files import decoding, read_json, write_json
from concurtrace.model.recording import (
    LineProfile,
    LineStats,
    LineTable,
    Loss,
    Recording,
    SourceFile,
)

if TYPE_CHECKING:
    from concurtrace.instruments._files import Document
    from concurtrace.instruments._line_tracing import LineTracing, Rows
    from concurtrace.rundir.processes import RegisteredProcess

_SUFFIX = ".json"
_FORMAT = 1

_UNFINISHED = (
    "Lines that still ran when their process ended count as hit; how long that hit took is not"
    " known."
)
_SUSPENDED = "What passes while a coroutine is suspended in an await is not in the time of a line."
_WALL_TIME = (
    "Times are wall time added up over threads: waiting for the GIL, a lock or I/O is time of the"
    " line that waits."
)
_MAIN_ONLY = (
    "No functions were named, so the program's own file was watched; name functions of other"
    " modules with --lines MODULE:FUNC."
)


class Lines(Instrument):
    """Count hits and time of lines with line_profiler, per process.

    Options: ``functions``, as "module:function" or "module:Class.method"; the workload's own by
    default, and the main program's where there is no workload.
    """

    name = "lines"
    summary = "hits and time of every line of the watched functions, per process (line_profiler)"

    def missing(self) -> str | None:
        """Say so where line_profiler is absent or recognises functions in another way."""
        from concurtrace.instruments._line_tracing import register

        try:
            from line_profiler import LineProfiler

            register(LineProfiler(), register.__code__)
        except ImportError as error:
            return f"line_profiler is not there ({error}): pip install line_profiler"
        except (AttributeError, RuntimeError) as error:
            return f"this line_profiler does not fit ({error}): pip install 'line_profiler==5.1.*'"
        return None

    def environment(self, out: Path, options: Options) -> Mapping[str, str]:
        """Choose line_profiler's older core: the newer one loses hits in threads."""
        return {"LINE_PROFILER_CORE": "legacy"}

    def probe(self, site: Site) -> Probe:
        """Trace lines in one process."""
        return _Probe(site)

    def read(self, out: Path, options: Options) -> Recording:
        """Decode the tables of all processes; those that left none are losses."""
        from concurtrace.rundir.processes import missing_files, read_processes

        reading = _Reading()
        for stem, process in read_processes(out.parent).items():
            path = out / (stem + _SUFFIX)
            if path.exists():
                content = read_json(path, _FORMAT)
                with decoding(path):
                    reading.add(process, content)
        return Recording(lines=reading.profile(missing_files(out.parent, out, _SUFFIX)))


class _Probe(Probe):
    """The line profiler of one process."""

    _tracing: LineTracing

    def __init__(self, site: Site) -> None:
        from concurtrace.instruments._watched import find_watched

        self._path = site.file(_SUFFIX)
        self._watched = find_watched(site.modules, site.options)
        self._notes = [] if site.modules or site.options.get("functions") else [_MAIN_ONLY]

    def begin(self) -> None:
        """Trace the lines of all threads from now on."""
        from concurtrace.instruments._line_tracing import LineTracing

        self._tracing = LineTracing(self._watched.codes)
        self._tracing.start()

    def end(self) -> None:
        """Stop and write the table, with the source as it is now."""
        found = self._tracing.rows()
        self._tracing.stop()
        document = {
            "format": _FORMAT,
            "lines": found.rows,
            "sources": self._watched.sources,
            "losses": self._tracing.losses,
            "ambiguous": found.ambiguous,
            "not_found": [(loss.what, loss.reason) for loss in self._watched.losses],
            "notes": self._notes + self._notes_on(found),
        }
        write_json(self._path, document)

    def _notes_on(self, found: Rows) -> list[str]:
        hit = {(file, function) for file, _, function, _, _ in found.rows}
        suspends = any(
            (code.co_filename, code.co_qualname) in hit
            for code in self._watched.codes
            if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)
        )
        notes = {
            _UNFINISHED: found.some_run,
            _SUSPENDED: suspends,
            _WALL_TIME: self._tracing.threads > 1,
        }
        return [note for note, applies in notes.items() if applies]

    def abandon(self) -> None:
        """Stop what a forked child inherited."""
        self._tracing.stop()


class _Reading:
    """Puts the files of all processes together."""

    def __init__(self) -> None:
        self._tables: list[LineTable] = []
        self._sources: dict[str, SourceFile] = {}
        self._losses: dict[Loss, None] = {}
        self._not_found: list[set[Loss]] = []
        self._notes: set[str] = set()

    def add(self, process: RegisteredProcess, content: Document) -> None:
        """Add the file of one process."""
        if content["lines"]:
            rows = tuple(LineStats(*row) for row in content["lines"])
            self._tables.append(LineTable(process.key, rows))
        for file, text in content["sources"].items():
            self._sources.setdefault(file, SourceFile(file, tuple(text)))
        who = f"process {process.key.name} ({process.key.pid})"
        losses = [Loss(f"{what} of {who}", reason) for what, reason in content["losses"]]
        losses += [Loss(*one) for one in content["ambiguous"]]
        self._losses.update(dict.fromkeys(losses))
        self._not_found.append({Loss(*one) for one in content["not_found"]})
        self._notes.update(content["notes"])

    def profile(self, missing: tuple[Loss, ...]) -> LineProfile:
        """Return it all; what one process could find was watched, only what none found was not."""
        nowhere = set.intersection(*self._not_found) if self._not_found else set()
        return LineProfile(
            tables=tuple(self._tables),
            sources=tuple(self._sources.values()),
            losses=(*missing, *self._losses, *sorted(nowhere, key=lambda loss: loss.what)),
            notes=tuple(sorted(self._notes)),
        )


INSTRUMENT = Lines()
