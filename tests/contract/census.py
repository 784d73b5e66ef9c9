"""Run one mode of a workload again and again, and count after each time what is still there.

Started as ``python census.py MODULE MODE PARAMETERS ROUNDS`` (JSON both): a round changes some
parameters. Prints, as JSON, what each round gave and what it left.
"""

import importlib
import json
import multiprocessing
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil

from concurtrace.workload import Work, Workload

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


def main(module: str, mode_name: str, parameters: str, rounds: str) -> None:
    """Run every round."""
    workload: Workload = importlib.import_module(module).WORKLOAD
    mode = workload.modes[mode_name]
    for name in mode.imports:
        importlib.import_module(name)
    answers: list[dict[str, Any]] = []
    for changes in json.loads(rounds):
        work = Work({**json.loads(parameters), **changes})
        if "start-method" in changes:
            multiprocessing.set_start_method(changes["start-method"], force=True)
        with workload.serve(work) as services:
            before = take()
            result = mode.function(Work(work.parameters, services))
            after = take()
        left = {what: [one for one in after[what] if one not in before[what]] for what in after}
        answers.append({"checksum": result.checksum, "left": left, "files": open_files()})
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
