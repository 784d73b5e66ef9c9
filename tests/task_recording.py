"""Record the tasks of a small program without a launcher, and read them back."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from concurtrace.analysis.tasks import tasks_report
from concurtrace.model.task_report import TaskReport, TasksReport
from concurtrace.model.tasks import TaskTrace
from concurtrace.recording.task_trace import read_task_trace

_PRELUDE = """
import atexit, sys
from pathlib import Path
from concurtrace.instruments import Site
from concurtrace.instruments.tasks import INSTRUMENT
options = {"max_bytes": int(sys.argv[2])}
probe = INSTRUMENT.probe(Site(Path(sys.argv[1]), "1-1", options, (), "main"))
probe.begin()
atexit.register(probe.end)
exec(compile(Path(sys.argv[3]).read_text(), sys.argv[3], "exec"), {"__name__": "__main__"})
"""


@dataclass(frozen=True)
class Recorded:
    """A program that ran while its tasks were recorded; ``program`` is its file."""

    stdout: str
    stderr: str
    returncode: int
    folder: Path
    program: Path

    @property
    def trace(self) -> TaskTrace:
        """Its recording."""
        return read_task_trace(self.folder)

    @property
    def report(self) -> TasksReport:
        """What is told of it without the states of threads."""
        return tasks_report(self.trace, None)


def tasks_of(found: Recorded, coroutine: str) -> list[TaskReport]:
    """List what is told of the tasks of one coroutine function."""
    return [one for one in found.report.tasks if one.coroutine == coroutine]


def plain(found: Recorded) -> tuple[str, int]:
    """Run its program again without recording: what it printed, and its exit code."""
    command = [sys.executable, str(found.program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout, done.returncode


def record(folder: Path, program: str, max_bytes: int = 8 << 20) -> Recorded:
    """Run a program and record its tasks."""
    out, file = folder / "tasks", folder / "program.py"
    out.mkdir()
    file.write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE, str(out), str(max_bytes), str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONASYNCIODEBUG": ""},
    )
    return Recorded(done.stdout, done.stderr, done.returncode, out, file)
