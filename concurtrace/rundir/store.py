"""Create, find and list run directories."""

import datetime
import re
from pathlib import Path

from concurtrace.discovery import unknown
from concurtrace.errors import RunFailedError, UsageError
from concurtrace.model.run import Target
from concurtrace.rundir import comparison, manifest

RUNS = Path(".concurtrace") / "runs"
RAW = "raw"
AGENT_SPEC = "agent.json"
"""In the folder of a pass: what the agents in the target have to know, and who records it."""


def create(target: Target, runs: Path = RUNS) -> Path:
    """Make the directory of a new run, named after time, target and mode."""
    label = re.sub(r"[^A-Za-z0-9_.]+", "-", Path(target.name).name or "code").strip("-.")[:40]
    stamp = datetime.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    name = "-".join(part for part in (stamp, label or "run", target.mode) if part)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for count in range(1, 1000):
            folder = runs / (name if count == 1 else f"{name}-{count}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            (folder / RAW).mkdir()
            return folder
    except OSError as error:
        raise RunFailedError(
            f"Cannot make a run directory under {runs}: {error.strerror}."
            " Start concurtrace in a folder that you may write to."
        ) from error
    raise RunFailedError(f"Cannot make a run directory {name} under {runs}: too many in a second.")


def create_inside(folder: Path, name: str) -> Path:
    """Make the directory of a run that is a part of another, under a name that is not taken."""
    try:
        (folder / name / RAW).mkdir(parents=True)
    except OSError as error:
        raise RunFailedError(f"Cannot make {folder / name}: {error.strerror}.") from error
    return folder / name


def find(wanted: str, runs: Path = RUNS) -> Path:
    """Find a run by path, name, unique prefix or ``last``; UsageError with the close matches."""
    path = Path(wanted)
    if path.is_dir() and (path.resolve().parent == runs.resolve() or len(path.parts) > 1):
        return path
    names = list_names(runs)
    if wanted == "last":
        if not names:
            raise UsageError(f"There is no run under {runs} yet. Make one: concurtrace profile.")
        return runs / names[-1]
    if wanted in names:
        return runs / wanted
    matches = [name for name in names if name.startswith(wanted)]
    if len(matches) == 1:
        return runs / matches[0]
    if matches:
        raise UsageError(f"'{wanted}' fits {len(matches)} runs: {', '.join(matches[-3:])}.")
    if path.is_dir():
        return path
    raise UsageError(unknown("run", wanted, names[-20:]))


def list_names(runs: Path = RUNS) -> list[str]:
    """List the names of all runs, oldest first."""
    if not runs.is_dir():
        return []
    found = [entry for entry in runs.iterdir() if _mark(entry).exists()]
    return [entry.name for entry in sorted(found, key=_age)]


def _age(folder: Path) -> tuple[str, float]:
    # Names start with the second; within one second the older folder was changed first.
    return folder.name[:15], _mark(folder).stat().st_mtime


def _mark(folder: Path) -> Path:
    """The file that makes a directory a run, or a comparison of runs."""
    compared = folder / comparison.FILE_NAME
    return compared if compared.exists() else folder / manifest.FILE_NAME
