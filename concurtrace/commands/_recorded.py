"""Find the run that is being recorded, and in it the pass that is under way."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from concurtrace.discovery import unknown
from concurtrace.errors import RunDataError, UsageError
from concurtrace.recording.live import is_running
from concurtrace.rundir import comparison, manifest, processes, store
from concurtrace.rundir.manifest import RunStatus


def find_recorded(wanted: str | None) -> Path:
    """Find a run that is being recorded, by its name or that of one of its processes' numbers.

    Without a name it is the newest. UsageError where there is none, or it has ended.
    """
    if wanted is None:
        for name in reversed(store.list_names()):
            if _is_one(store.RUNS / name):
                return store.RUNS / name
        return _refuse(store.find("last"), "No run is being recorded here. The last one")
    if wanted.isdecimal():
        recorded = dict(_recorded_processes())
        if int(wanted) in recorded:
            return recorded[int(wanted)]
        if not any(name.startswith(wanted) for name in store.list_names()):
            known = sorted(map(str, recorded))
            raise UsageError(unknown("recorded process", wanted, known))
    folder = store.find(wanted)
    return folder if is_under_way(folder) else _refuse(folder, "The run")


def _refuse(folder: Path, what: str) -> Path:
    raise UsageError(f"{what}, {folder.name}, has ended: concurtrace show {folder.name}.")


def _recorded_processes() -> Iterator[tuple[int, Path]]:
    """List the processes that are recorded now, and those that record them, each with its run."""
    for name in store.list_names():
        run = store.RUNS / name
        if not _is_one(run):
            continue
        for raw in _passes(run):
            if (launcher := _launcher(raw)) is not None:
                yield launcher[0], run
            for path in (raw / processes.FOLDER).glob("*-*.jsonl"):
                pid, _, start_ns = path.stem.partition("-")
                if is_running(int(pid), int(start_ns)):
                    yield int(pid), run


def _is_one(run: Path) -> bool:
    """Tell whether a run is under way, of all that there are: damaged ones are not meant."""
    try:
        return is_under_way(run)
    except RunDataError:
        return False


def is_under_way(run: Path) -> bool:
    """Tell whether a run, or a comparison of runs, has not ended: its launcher works on it."""
    compared = comparison.is_comparison(run)
    status = comparison.read(run).status if compared else manifest.read(run).status
    if status is not RunStatus.RUNNING:
        return False
    # A launcher that was killed could not write that down. Before the first pass it is not known.
    known = [launcher for raw in _passes(run) if (launcher := _launcher(raw)) is not None]
    return not known or is_running(*known[-1])


def passes_recorded(run: Path) -> list[Path]:
    """List the folders of a run's passes that record wait states, the newest last."""
    return [raw for raw in _passes(run) if (raw / "states").is_dir()]


def _passes(run: Path) -> list[Path]:
    runs = [run]
    if comparison.is_comparison(run):
        runs = list((run / comparison.MODES).glob("*"))
    found = [raw for one in runs for raw in (one / store.RAW).glob("*") if raw.is_dir()]
    return sorted(found, key=lambda raw: raw.stat().st_mtime_ns)


def _launcher(raw: Path) -> tuple[int, int] | None:
    """Return the number of the process that records a pass, and a time at which it was there."""
    path = raw / store.AGENT_SPEC
    try:
        told = json.loads(path.read_bytes())
        age_ns = time.time_ns() - path.stat().st_mtime_ns
    except (FileNotFoundError, ValueError):
        return None
    return int(told["launcher_pid"]), time.monotonic_ns() - age_ns
