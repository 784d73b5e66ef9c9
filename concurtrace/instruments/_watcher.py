"""The watcher: a native thread of the launcher that sees the target's threads from outside.

It asks the kernel for context switches, and reads the Python stacks of running threads. Nothing of
it runs inside the target. Where it was not built, or may not, the recording lacks those parts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from enum import Enum
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from concurtrace.instruments import Options

MODULE = "concurtrace._watcher"
OVERRIDE = "CONCURTRACE_WATCHER"
"""Names a library to use instead of the installed one: for work on the watcher itself."""

SHARE = 4
"""The watcher may take one part in so many of what a recording may take on disk."""

SAMPLE_HZ = 200
_LOAD_HZ = 50


class Switches(Enum):
    """When the kernel's records of context switches are asked for; ``cw_switches``."""

    NEVER = 0
    """Only the scheduler's counters are read."""
    WHEN_CALM = 1
    """Once the target has shown that it switches so seldom that they cost it nothing."""
    ALWAYS = 2
    """From the first instant on, whatever they cost."""


class _Config(ctypes.Structure):
    """``struct cw_config`` of native/watcher/watcher.h."""

    _fields_ = (
        ("directory", ctypes.c_char_p),
        ("pid", ctypes.c_uint32),
        ("sample_hz", ctypes.c_uint32),
        ("load_hz", ctypes.c_uint32),
        ("switches", ctypes.c_uint32),
        ("max_bytes", ctypes.c_uint64),
    )


def library() -> Path | None:
    """Find the watcher's shared library; None where the package was installed without it."""
    chosen = os.environ.get(OVERRIDE)
    if chosen:
        return Path(chosen) if Path(chosen).is_file() else None
    spec = find_spec(MODULE)
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


@cache
def _load(path: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(path), use_errno=True)
    loaded.cw_start.restype = ctypes.c_void_p
    loaded.cw_start.argtypes = (ctypes.POINTER(_Config),)
    loaded.cw_stop.restype = None
    loaded.cw_stop.argtypes = (ctypes.c_void_p,)
    return loaded


@contextlib.contextmanager
def watching(pid: int, out: Path, options: Options, max_bytes: int) -> Iterator[None]:
    """Watch a process and all that it starts, into tables in ``out``, while the block runs.

    Options: ``sample_hz`` (0 = no stacks) and ``switches``, a name of ``Switches`` in lower case.
    Watching that can't be started is left out, which is told in ``out``; the block runs all the
    same.
    """
    found = library()
    loaded = _load(found) if found is not None else None
    handle = _start(loaded, pid, out, options, max_bytes) if loaded is not None else None
    try:
        yield
    finally:
        if loaded is not None and handle:
            loaded.cw_stop(handle)


def _start(
    loaded: ctypes.CDLL, pid: int, out: Path, options: Options, max_bytes: int
) -> int | None:
    config = _Config(
        directory=os.fsencode(out.resolve()),
        pid=pid,
        sample_hz=int(options.get("sample_hz", SAMPLE_HZ)),
        load_hz=_LOAD_HZ,
        switches=Switches[str(options.get("switches", "when_calm")).upper()].value,
        max_bytes=max_bytes,
    )
    handle: int | None = loaded.cw_start(ctypes.byref(config))
    if not handle:
        from concurtrace.recording.watched import REFUSED

        # Where not even this can be written the recorder's own files tell of it.
        with contextlib.suppress(OSError):
            (out / REFUSED).write_text(os.strerror(ctypes.get_errno()), encoding="utf-8")
    return handle
