"""The registry of a pass: its processes and threads by name, written by the agents inside them.

One file per process, ``<pid>-<start ns>.jsonl``, one line per entry, appended in one write each,
so it is valid whatever killed the process. The stem is also that of every probe's file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concurtrace.model.lost import LostException
from concurtrace.model.recording import Loss, ProcessKey
from concurtrace.rundir.lost import lost_exceptions

FOLDER = "processes"


@dataclass(frozen=True)
class RegisteredProcess:
    """A process as its agent wrote it; ``threads`` maps native thread ids to names.

    ``work_ns`` is when what it was made for began: its interpreter was ready, and its modules were
    imported where multiprocessing or the harness tells so.
    ``failures`` are the errors of probes inside it, ``stacks`` the Python stacks of all threads
    when it was told to stop (None if it was not), ``switches`` its voluntary and involuntary
    context switches up to its end (None if it did not come to it), ``lost`` what nobody heard of.
    """

    key: ProcessKey
    threads: Mapping[int, str]
    work_ns: int
    ended: bool
    switches: tuple[int, int] | None
    failures: tuple[str, ...]
    stacks: str | None
    lost: tuple[LostException, ...] = ()


def read_processes(pass_folder: Path) -> dict[str, RegisteredProcess]:
    """Read the registry of a pass as ``{file stem: process}``, in order of start."""
    found = {}
    for path in sorted((pass_folder / FOLDER).glob("*.jsonl"), key=_start_ns):
        lines = path.read_text("utf-8").splitlines()
        entries = [entry for line in lines if (entry := _parse(line))]
        if entries and "pid" in entries[0]:
            found[path.stem] = _process(path, entries)
    return found


def missing_files(pass_folder: Path, out: Path, suffix: str) -> tuple[Loss, ...]:
    """List the processes that left no file in an instrument's folder, with the reason."""
    losses = []
    for stem, process in read_processes(pass_folder).items():
        if not (out / (stem + suffix)).exists():
            how = "; ".join(process.failures) or (
                "it left no data" if process.ended else "it was killed before it could write"
            )
            losses.append(Loss(f"process {process.key.name} ({process.key.pid})", how))
    return tuple(losses)


def _start_ns(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _parse(line: str) -> dict[str, Any]:
    # The last line may be cut off where the disk ran full; the ones before it are whole.
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _process(path: Path, entries: list[dict[str, Any]]) -> RegisteredProcess:
    first = entries[0]
    named = [entry for entry in entries if "process" in entry]
    end = next((entry for entry in entries if "ended" in entry), None)
    stacks = path.with_suffix(".stacks")
    key = ProcessKey(
        int(first["pid"]),
        int(first["parent_pid"]),
        str(named[-1]["process"]),
        str(first["started_by"]),
        int(first["start_ns"]),
        int(end["at_ns"]) if end else None,
    )
    return RegisteredProcess(
        key=key,
        threads={int(one["tid"]): str(one["thread"]) for one in entries if "tid" in one},
        work_ns=int(named[-1].get("at_ns", first["start_ns"])),
        ended=end is not None,
        switches=(int(end["voluntary"]), int(end["involuntary"])) if end else None,
        failures=tuple(f"{one['failed']}: {one['error']}" for one in entries if "failed" in one),
        stacks=stacks.read_text("utf-8", "replace") if stacks.exists() else None,
        lost=lost_exceptions(key, entries),
    )
