"""Memory of every process over time, and line by line, with memory_profiler and psutil.

Two sources: a sampler in the launcher sees all processes of the target; a probe in each Python
process measures the watched functions (``_memory_lines``) and reads its memory when the work
begins and ends, so that processes too short for the sampler are there too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concurtrace.instruments import Instrument, Options, Probe, Site
from concurtrace.instruments._files import write_json
from concurtrace.instruments._rss import rss_bytes

if TYPE_CHECKING:
    from concurtrace.instruments._family import Seen
    from concurtrace.instruments._memory_lines import LineMemory
    from concurtrace.instruments._sampling import Line
    from concurtrace.instruments._watched import Watched
    from concurtrace.model.recording import Recording

LINE_BUDGET = 20_000
"""Lines per function and process that are measured: at some 10 microseconds, 0.2 seconds."""
SUFFIX = ".json"
FORMAT = 1
_SHARES_PAUSE_PER_COST = 64
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Memory(Instrument):
    """Options: ``functions`` (as for ``lines``) and ``line_budget``."""

    name = "memory"
    summary = "memory of every process over time (psutil) and line by line (memory_profiler)"

    def missing(self) -> str | None:
        """Name the package that is not installed."""
        for package in ("memory_profiler", "psutil"):
            if find_spec(package) is None:
                return f"the package {package} is not installed: pip install {package}"
        return None

    def probe(self, site: Site) -> Probe:
        """Measure lines in one process."""
        return _MemoryProbe(site)

    @contextmanager
    def beside(self, pid: int, out: Path, options: Options) -> Iterator[None]:
        """Sample the memory of all processes."""
        from concurtrace.instruments._sampling import FINE, sampling

        with sampling(pid, out, _Sampler().take, dict, FINE):
            yield

    def read(self, out: Path, options: Options) -> Recording:
        """Lay the samples and the probes' figures together."""
        from concurtrace.instruments._memory_reading import read

        return read(out)


class _MemoryProbe(Probe):
    """Measures the lines of one process, and its memory when the work begins and ends."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lines: LineMemory | None = None
        self._watched: Watched | None = None
        self._began: list[int] = []
        self._own_bytes = 0
        self._budget = int(site.options.get("line_budget", LINE_BUDGET))

    def begin(self) -> None:
        from concurtrace.instruments._watched import find_watched

        before = rss_bytes()
        from concurtrace.instruments._memory_lines import LineMemory

        self._own_bytes = rss_bytes() - before
        self._watched = find_watched(self._site.modules, self._site.options)
        codes = (one for one in self._watched.codes if one.co_name not in _COMPREHENSIONS)
        self._lines = LineMemory(codes, self._budget)
        self._began = [time.monotonic_ns(), rss_bytes()]
        self._lines.begin()

    def end(self) -> None:
        if self._lines is None or self._watched is None:
            return
        outcome = self._lines.end()
        ended = [time.monotonic_ns(), rss_bytes()]
        rows = [
            [code.co_filename, line, code.co_qualname, *counted]
            for code, line, counted in self._lines.lines()
        ]
        files = {row[0] for row in rows}
        sources = self._watched.sources.items()
        write_json(
            self._site.file(SUFFIX),
            {
                "format": FORMAT,
                "readings": [self._began, ended],
                "own_bytes": self._own_bytes,
                "line_budget": self._budget,
                "trace_function": outcome.value,
                "lines": rows,
                "exhausted": [
                    [code.co_filename, code.co_firstlineno, code.co_qualname]
                    for code in self._lines.exhausted()
                ],
                "sources": {file: list(text) for file, text in sources if file in files},
                "losses": [[loss.what, loss.reason] for loss in self._watched.losses],
            },
        )

    def abandon(self) -> None:
        if self._lines is not None:
            self._lines.end()
            self._lines = None


class _Sampler:
    """Reads the memory of processes through psutil."""

    def __init__(self) -> None:
        self._processes: dict[int, Any] = {}
        self._shares_read_ns: dict[int, int] = {}
        self._next_shares_ns = 0

    def take(self, members: list[tuple[int, Seen]]) -> Line:
        """Read every process; USS and PSS of one at a time, the kernel walks all pages for them."""
        now_ns = time.monotonic_ns()
        longest_ago = None
        if now_ns >= self._next_shares_ns:
            longest_ago = min((self._shares_read_ns.get(one, 0), one) for one, _ in members)[1]
        rows = [
            row
            for number, seen in members
            if (row := self._row(number, seen, with_shares=number == longest_ago)) is not None
        ]
        return {"at_ns": now_ns, "memory": rows}

    def _row(self, number: int, seen: Seen, *, with_shares: bool) -> list[int | None] | None:
        import psutil

        try:
            process = self._processes.get(number)
            if process is None:
                process = self._processes[number] = psutil.Process(seen.identity.pid)
            rss = int(process.memory_info().rss)
            if not rss:
                return None  # it waits to be reaped
            return [number, rss, *(self._shares(number, process) if with_shares else (None, None))]
        except psutil.NoSuchProcess:
            return None

    def _shares(self, number: int, process: Any) -> tuple[int | None, int | None]:
        import psutil

        started_ns = time.thread_time_ns()
        shares: tuple[int | None, int | None] = (None, None)
        with suppress(psutil.AccessDenied):
            info = process.memory_full_info()
            shares = int(info.uss), int(info.pss)
        cost_ns = time.thread_time_ns() - started_ns
        self._shares_read_ns[number] = time.monotonic_ns()
        self._next_shares_ns = self._shares_read_ns[number] + _SHARES_PAUSE_PER_COST * cost_ns
        return shares


INSTRUMENT = Memory()
