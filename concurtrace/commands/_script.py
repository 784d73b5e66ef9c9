"""What ``run`` and ``stress`` start when they are given a program of the user's."""

import sys
from pathlib import Path

from concurtrace.errors import RunFailedError, UsageError
from concurtrace.model.run import Target, TargetKind


def script_target(
    script: str, args: tuple[str, ...], *, module: bool, code: bool
) -> tuple[Target, tuple[str, ...]]:
    """Say what to start for a script, a module or code; an error where there is no such file."""
    if module and code:
        raise UsageError("-m and -c exclude each other: give one of them.")
    if module:
        argv = (sys.executable, "-m", script, *args)
        return Target(TargetKind.MODULE, script, None, argv), argv
    if code:
        argv = (sys.executable, "-c", script, *args)
        return Target(TargetKind.CODE, "-c", None, argv), argv
    if not Path(script).exists():
        raise RunFailedError(f"There is no file '{script}' to run.")
    argv = (sys.executable, script, *args)
    return Target(TargetKind.SCRIPT, script, None, argv), argv
