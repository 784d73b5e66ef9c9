"""Take samples of the target from a thread of the launcher, into a file of JSON lines.

The first line is a header; every further line is written whole before the next sample is taken,
so what was sampled is there whatever happens to the launcher. ``{"process": …}`` introduces a
process under the next free number, all other lines are the instrument's own.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concurtrace.errors import RunDataError, RunFailedError
from concurtrace.instruments._family import Family, Identity, Seen, command_line
from concurtrace.model.recording import ProcessKey

SUFFIX = ".samples.jsonl"
_FORMAT = 1
_SLOWEST_NS = 640_000_000
_SAMPLES_PER_INTERVAL = 1500
_SMOOTHING = 8
_SETTLED = 5
"""A process may still exec into its own program until it was seen this often."""

_START_ERROR_NS = 20_000_000
"""/proc counts the start of a process in steps of 10 ms."""
_HELPERS = {
    "multiprocessing.resource_tracker": "resource tracker",
    "multiprocessing.forkserver": "fork server",
}


@dataclass(frozen=True)
class Pace:
    """How often to sample; the longer pause of the two holds."""

    interval_ns: int
    pause_per_cost: int
    """Sampling takes at most one part in so many of one core."""


FINE = Pace(interval_ns=20_000_000, pause_per_cost=32)
LIGHT = Pace(interval_ns=50_000_000, pause_per_cost=150)
"""For the pass that other times are quoted from: the target may need every core there is."""

Line = dict[str, Any]
Take = Callable[[list[tuple[int, Seen]]], Line]


@contextmanager
def sampling(
    pid: int, out: Path, take: Take, last: Callable[[], Line], pace: Pace
) -> Iterator[None]:
    """Sample the family of ``pid`` while the block runs, into ``<pid>.samples.jsonl``.

    ``take(members)`` makes the line of one sample, each process with its number; ``last()`` makes
    the line after the last one. RunFailedError if sampling came to grief.
    """
    with (out / f"{pid}{SUFFIX}").open("w", encoding="utf-8") as file:
        sampler = _Sampler(pid, lambda line: _append(file, line), take, pace)
        sampler.begin()
        try:
            yield
        finally:
            sampler.finish()
        if sampler.error is not None:
            raise RunFailedError(f"Sampling stopped: {sampler.error}") from sampler.error
        _append(file, {**last(), "end_ns": time.monotonic_ns()})


def _append(file: Any, line: Line) -> None:
    file.write(json.dumps(line, separators=(",", ":")) + "\n")
    file.flush()


class _Sampler(threading.Thread):
    """Samples until it is told to finish; the more it takes, the less often."""

    def __init__(self, pid: int, write: Callable[[Line], None], take: Take, pace: Pace) -> None:
        super().__init__(name="concurtrace-sampler", daemon=True)
        self.error: Exception | None = None
        self._family = Family(pid)
        self._write = write
        self._take = take
        self._pace = pace
        self._numbers: dict[Identity, int] = {}
        self._names: dict[int, Line] = {}
        self._times_seen: dict[int, int] = {}
        self._finished = threading.Event()

    def begin(self) -> None:
        """Take the first sample at once, the others from a thread."""
        with self._keeping_error():
            self._write({"format": _FORMAT, "interval_ns": self._pace.interval_ns})
            self._sample()
        self.start()

    def run(self) -> None:
        """Take sample after sample, as a thread."""
        interval_ns, count, usual_ns = self._pace.interval_ns, 0, 0
        with self._keeping_error():
            while self.error is None:
                pause_ns = max(interval_ns - usual_ns, self._pace.pause_per_cost * usual_ns)
                if self._finished.wait(pause_ns / 1e9):
                    break
                # Every tenth sample or so costs ten times the others.
                usual_ns += (self._sample() - usual_ns) // _SMOOTHING
                count += 1
                if count % _SAMPLES_PER_INTERVAL == 0:
                    interval_ns = min(2 * interval_ns, _SLOWEST_NS)

    @contextmanager
    def _keeping_error(self) -> Iterator[None]:
        # The target runs: what goes wrong here is told when it has ended.
        try:
            yield
        except Exception as error:
            self.error = error

    def finish(self) -> None:
        """Take the last sample, of what the target left behind; returns when it is written."""
        self._finished.set()
        self.join()
        if self.error is None:
            with self._keeping_error():
                self._sample()

    def _sample(self) -> int:
        # CPU time: where the machine is busy, waiting for a core is no reason to sample less.
        started_ns = time.thread_time_ns()
        members = [(self._number(seen), seen) for seen in self._family.members()]
        if members:
            self._write(self._take(members))
        return time.thread_time_ns() - started_ns

    def _number(self, seen: Seen) -> int:
        number = self._numbers.setdefault(seen.identity, len(self._numbers))
        times = self._times_seen[number] = self._times_seen.get(number, 0) + 1
        if times <= _SETTLED:
            name = {
                "process": number,
                "pid": seen.identity.pid,
                "start_ns": seen.identity.start_ns,
                "parent_pid": seen.parent_pid,
                "name": seen.name,
                "command": command_line(seen.identity.pid),
            }
            if self._names.get(number) != name:
                self._names[number] = name
                self._write(name)
        return number


@dataclass(frozen=True)
class SampledProcess:
    """A process as the sampler saw it; ``command`` is empty where it could not be read."""

    pid: int
    start_ns: int
    parent_pid: int
    name: str
    command: str


@dataclass(frozen=True)
class Samples:
    """A file of samples: its processes by number, and the instrument's own lines in order.

    ``end`` is the line after the last one; None where the launcher did not come to it.
    """

    interval_ns: int
    processes: dict[int, SampledProcess]
    lines: tuple[Line, ...]
    end: Line | None


def read_samples(path: Path) -> Samples:
    """Read a file of samples; RunDataError says which line is damaged.

    A last line without its end is one that was being written when the launcher died.
    """
    *whole, _rest = path.read_text("utf-8", "replace").split("\n")
    parsed = [_parse(path, number, text) for number, text in enumerate(whole, start=1)]
    if not parsed or parsed[0].get("format") != _FORMAT:
        raise RunDataError(f"{path} is damaged: it does not begin with format {_FORMAT}.")
    processes: dict[int, SampledProcess] = {}
    lines: list[Line] = []
    for number, line in enumerate(parsed[1:], start=2):
        if "process" not in line:
            lines.append(line)
            continue
        try:
            processes[int(line["process"])] = SampledProcess(
                int(line["pid"]),
                int(line["start_ns"]),
                int(line["parent_pid"]),
                str(line["name"]),
                str(line["command"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunDataError(f"{path} is damaged in line {number}: {error!r}.") from None
    end = lines.pop() if lines and "end_ns" in lines[-1] else None
    return Samples(int(parsed[0]["interval_ns"]), processes, tuple(lines), end)


def _parse(path: Path, number: int, text: str) -> Line:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise RunDataError(f"{path} is damaged in line {number}: {error}.") from None
    if not isinstance(line, dict):
        raise RunDataError(f"{path} is damaged in line {number}: it holds no object.")
    return line


def identify(
    processes: Mapping[int, SampledProcess], registered: Iterable[ProcessKey]
) -> dict[int, ProcessKey]:
    """Give each sampled process its key: that of the registry, or one of its own.

    A process is registered once Python runs in it, and again when it executes another program.
    One that never is runs no Python, or one without our agent.
    """
    keys = list(registered)
    starts: dict[int, list[int]] = defaultdict(list)
    for process in processes.values():
        starts[process.pid].append(process.start_ns)
    found = {}
    for number, process in processes.items():
        later = [start for start in starts[process.pid] if start > process.start_ns]
        own = [
            key
            for key in keys
            if key.pid == process.pid
            and process.start_ns - _START_ERROR_NS <= key.start_ns
            and all(key.start_ns < start - _START_ERROR_NS for start in later)
        ]
        found[number] = own[-1] if own else _unregistered(process)
    return found


def _unregistered(process: SampledProcess) -> ProcessKey:
    helper = next((name for part, name in _HELPERS.items() if part in process.command), None)
    return ProcessKey(
        process.pid, process.parent_pid, helper or process.name, "subprocess", process.start_ns
    )
