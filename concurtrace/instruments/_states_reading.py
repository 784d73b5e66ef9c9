"""Read a recording of wait states back, with the names that the run's registry has."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from concurtrace.instruments._estimate_reading import read_estimate
from concurtrace.instruments._sampling import SUFFIX
from concurtrace.model.recording import Loss, Recording
from concurtrace.recording.processes import KnownProcess
from concurtrace.recording.read import Context, read_trace
from concurtrace.rundir.processes import read_processes

WATCHED = "watched.json"


def read(out: Path) -> Recording:
    """Decode a recording; RunDataError says what is damaged, and where.

    A folder in which nothing was ever recorded gives an empty recording.
    """
    if not any(out.iterdir()):
        return Recording()
    for samples in out.glob(f"*{SUFFIX}"):
        return Recording(trace=read_estimate(samples))
    registered = read_processes(out.parent).values()
    unheard = tuple(one for process in registered for one in process.lost)
    known = tuple(
        KnownProcess(
            one.key.pid,
            one.key.start_ns,
            one.key.name,
            one.key.started_by,
            one.threads,
            one.stacks or "",
            one.work_ns,
        )
        for one in registered
    )
    trace = read_trace(out, Context(known, _until_ns(out)))
    if not trace.threads:
        lost = Loss("wait states", "no Python process of the target left a recording")
        trace = replace(trace, losses=(*trace.losses, lost))
    return Recording(trace=trace, lost=unheard)


def _until_ns(out: Path) -> int | None:
    """When the launcher stopped watching; None if it was killed before."""
    try:
        return int(json.loads((out / WATCHED).read_bytes())["end_ns"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
