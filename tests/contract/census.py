"""Run one mode of a workload again and again, and count after each time what is still there.

Started as ``python census.py MODULE MODE BEFORE PARAMETERS ROUNDS``, the last two as JSON: a round
changes some parameters. Prints, as JSON, what each round gave and what it left.
"""

import importlib
import json
import multiprocessing
import sys
import tempfile
import threading
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil

from concurtrace.workload import Mode, Work, Workload

# Multiprocessing starts these once and keeps them, and a folder pymp-…, until the program ends.
HELPERS = ("multiprocessing.forkserver", "multiprocessing.resource_tracker")


def take() -> dict[str, list[str]]:
    """List threads, processes, files in the temporary directory, and sockets of this process."""
    me = psutil.Process()
    temporary = Path(tempfile.gettempdir()).iterdir()
    commands = [" ".join(child.cmdline()) for child in me.children(recursive=True)]
    return {
        "threads": [thread.name for thread in threading.enumerate()],
        "processes": [one for one in commands if not any(name in one for name in HELPERS)],
        "temporary": [path.name for path in temporary if not path.name.startswith("pymp-")],
        "sockets": [f"{one.laddr} {one.raddr} {one.status}" for one in me.net_connections("inet")],
    }


def open_files() -> int:
    """Count the open files, sockets and pipes of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def main(module: str, mode_name: str, before: str, parameters: str, rounds: str) -> None:
    """Run every round, after what has to come before everything else in this mode."""
    if before:
        owner, _, function = before.partition(":")
        getattr(importlib.import_module(owner), function)()
    workload: Workload = importlib.import_module(module).WORKLOAD
    mode = workload.modes[mode_name]
    for name in mode.imports:
        importlib.import_module(name)
    answers: list[dict[str, Any]] = []
    # Services take time to start, and know nothing of workers and how they are started.
    for variant, alike in groupby(json.loads(rounds), lambda changes: changes.get("variant")):
        given = json.loads(parameters) | ({"variant": variant} if variant else {})
        with workload.serve(Work(given)) as services:
            answers += [run(mode, Work({**given, **changes}, services)) for changes in alike]
    print(json.dumps(answers))


def run(mode: Mode, work: Work) -> dict[str, Any]:
    """Run the mode once; return its result's checksum and what it left."""
    if "start-method" in work.parameters:
        multiprocessing.set_start_method(work.text("start-method"), force=True)
    found = take()
    result = mode.function(work)
    left = {what: minus(there, found[what]) for what, there in take().items()}
    return {"checksum": result.checksum, "left": left, "files": open_files()}


def minus(these: list[str], others: list[str]) -> list[str]:
    """Return what is in the first list more often than in the second."""
    return sorted((Counter(these) - Counter(others)).elements())


if __name__ == "__main__":
    main(*sys.argv[1:])
