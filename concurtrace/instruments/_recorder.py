"""Where the native recorder is, and how it gets into the target."""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

MODULE = "concurtrace._recorder"
OVERRIDE = "CONCURTRACE_RECORDER"
"""Names a library to use instead of the installed one: for work on the recorder itself."""

_LONGEST_FOLDER = 200
"""The recorder keeps the path of its folder in memory of a fixed size."""


def library() -> Path | None:
    """Find the recorder's shared library; None where the package was installed without it."""
    chosen = os.environ.get(OVERRIDE)
    if chosen:
        return Path(chosen) if Path(chosen).is_file() else None
    spec = find_spec(MODULE)
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def why_absent() -> str | None:
    """Say in words why states can't be recorded exactly here; None if they can."""
    if sys.platform != "linux":
        return f"the recorder needs Linux, and this is {sys.platform}"
    if platform.libc_ver()[0] != "glibc":
        return "the recorder needs the GNU C library"
    if os.environ.get(OVERRIDE) and library() is None:
        return f"{OVERRIDE} names no file: {os.environ[OVERRIDE]}"
    if library() is None:
        return "the recorder was not built: install a C compiler, then install concurtrace again"
    return None


def preload(found: Path) -> str:
    """Return the value of LD_PRELOAD that adds a library to what was set before."""
    before = os.environ.get("LD_PRELOAD", "")
    return ":".join(part for part in (str(found), before) if part)


def plain_path(path: Path) -> Path:
    """Give a path that the dynamic loader and the recorder can take: short, no blank, no colon.

    Where the path itself can't be taken a link to it stands in, until this process ends.
    """
    text = str(path)
    if len(text) <= _LONGEST_FOLDER and not set(text) & set(" :\t\n"):
        return path
    folder = tempfile.mkdtemp(prefix="concurtrace-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = Path(folder) / "it"
    link.symlink_to(path)
    return link
