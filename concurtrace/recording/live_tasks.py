"""How many tasks a running process has, and in which state, from the recorder of tasks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concurtrace.model.tasks import TaskFlag, TaskState
from concurtrace.recording import task_layout as layout
from concurtrace.recording.files import UnreadableError
from concurtrace.recording.task_files import TaskFile


@dataclass(frozen=True)
class TaskCounts:
    """Tasks made so far and their steps, and how many are in which state now.

    Tasks for which the file had no room are in ``made`` only.
    """

    loops: int
    made: int
    steps: int
    now: Mapping[TaskState, int]


def count_tasks(folder: Path, pid: int) -> TaskCounts | None:
    """Count the tasks of a process; None where it has no event loop."""
    files = sorted(folder.glob(f"{pid}-*.ctt"), key=lambda path: path.stat().st_mtime_ns)
    if not files:
        return None
    try:
        file = TaskFile(files[-1])
    except UnreadableError:
        return None  # just being begun
    tasks = file.items(layout.TASKS, layout.TASK)
    tasks = tasks[(tasks["serial"] != 0) & ((tasks["flags"] & TaskFlag.GROUP) == 0)]
    counts = np.bincount(tasks["state"], minlength=256).tolist()
    alive = [one for one in TaskState if one is not TaskState.DONE]
    return TaskCounts(
        loops=len(file.items(layout.LOOPS, layout.LOOP)),
        made=int(file.header["tasks"]),
        steps=int(file.header["steps"]),
        now={state: counts[state.code] for state in alive if counts[state.code]},
    )
