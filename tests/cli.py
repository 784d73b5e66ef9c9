"""Run the command line as a user does: a process of its own in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def concurtrace(
    folder: Path, *arguments: str, extra: Mapping[str, str] | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end and return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "concurtrace", *arguments],
        cwd=folder,
        env={**os.environ, **(extra or {})},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def last_report(folder: Path) -> dict[str, Any]:
    """Return the last run's report as JSON."""
    done = concurtrace(folder, "show", "last", "--format", "json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def loops_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """List the event loops of a report in JSON."""
    return [loop for process in report["processes"] for loop in process.get("loops", ())]
