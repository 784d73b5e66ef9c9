"""Name the places that stacks lead to, in the words of their reader: file, line, function."""

import re
from functools import cache
from pathlib import Path

from concurtrace.model.spans import Frame, Stacks
from concurtrace.recording.reasons import standard_module

UNSAMPLED = "running, not sampled"
"""Where a thread was at work that no sample and no wait shows."""

_TOOL = re.compile(
    r"/concurtrace/(launch/|instruments/|on_import)|/(site|dist)-packages/(gevent|greenlet|twisted)/"
)
"""What is about the user's code, not the user's: concurtrace itself, and what runs event loops."""


_INSTALLED = re.compile(r"/(site|dist)-packages/(?!concurtrace/workloads/)")
_PACKAGE = f"{Path(__file__).parents[1]}/"
_WORKLOADS = f"{_PACKAGE}workloads/"


@cache
def is_foreign_file(file: str) -> bool:
    """Tell whether a file is none of the user's: standard library, event loops, or concurtrace."""
    return standard_module(file) is not None or _TOOL.search(file) is not None


def is_own_file(file: str) -> bool:
    """Tell whether a file is the target's own: not installed, and nothing that runs it."""
    if file.startswith(("<", "~")) or not file or is_foreign_file(file):
        return False
    ours = file.startswith(_PACKAGE) and not file.startswith(_WORKLOADS)
    return not ours and not _INSTALLED.search(file)


def own_files(stacks: Stacks) -> tuple[str, ...]:
    """List the target's own files among those of all functions in some stacks."""
    files = dict.fromkeys(one.file for one in stacks.functions)
    return tuple(file for file in files if is_own_file(file))


def where(frame: Frame) -> str:
    """Write a frame as ``file.py:9 in f``."""
    return f"{frame.function.file}:{frame.line} in {frame.function.name}"


def own_frame(stack: tuple[Frame, ...]) -> Frame | None:
    """Return the innermost frame outside the standard library; else the innermost there is."""
    for frame in stack:
        if not is_foreign_file(frame.function.file):
            return frame
    return stack[0] if stack else None


def is_foreign(stack: tuple[Frame, ...]) -> bool:
    """Tell whether a stack holds no frame of the user's."""
    return all(is_foreign_file(frame.function.file) for frame in stack)


class Places:
    """Places of the stacks of one trace; each stack is looked up once."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._known: dict[int, str | None] = {0: None}

    def _choose(self, stack: tuple[Frame, ...]) -> Frame | None:
        return own_frame(stack)

    def of(self, stack: int) -> str | None:
        """Name the place of a stack; None where there is no stack."""
        if stack not in self._known:
            frame = self._choose(self._stacks.frames(stack))
            self._known[stack] = None if frame is None else where(frame)
        return self._known[stack]


class OwnPlaces(Places):
    """Places outside all that is installed, where a stack has any: whose task it is, says that."""

    def _choose(self, stack: tuple[Frame, ...]) -> Frame | None:
        return task_frame(stack)


def task_frame(stack: tuple[Frame, ...]) -> Frame | None:
    """Return the innermost frame of a file that is not installed; else as ``own_frame``."""
    own = (one for one in stack if not _INSTALLED.search(one.function.file))
    return next((one for one in own if not is_foreign_file(one.function.file)), own_frame(stack))


def made_by(stack: tuple[Frame, ...]) -> str | None:
    """Name the class of the standard library whose constructor a stack is in: ``Queue``."""
    made = None
    for frame in stack:
        if not is_foreign_file(frame.function.file):
            break
        owner, _, method = frame.function.name.rpartition(".")
        if method == "__init__":
            made = owner
    return made
