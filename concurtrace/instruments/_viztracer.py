"""One VizTracer in one process of the target: started, bounded, stopped and saved.

viztracer's buffer is circular: when it is full the oldest events are overwritten, after 40 ms of
code that does nothing but call. So a thread watches how full it is and, the fuller it gets, has
ever longer calls left out: the trace covers the whole run, and long calls are in it from the
first to the last. A program with few calls keeps all of them.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import threading
import time
import warnings
from collections import deque
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from viztracer import VizTracer

from concurtrace.instruments.timeline import MARK
from concurtrace.on_import import on_import

_LAST = b"}}"
_CHECK_S = 0.005
_HALVINGS = 16
_FIRST_US, _FACTOR = 1.0, 2.0


class Recorder:
    """The tracer of this process; only one may record at a time."""

    def __init__(self, capacity: int) -> None:
        self.tracer = VizTracer(
            tracer_entries=capacity, verbose=0, file_info=False, register_global=False
        )
        self.untraced = _threads_out_of_reach()
        self._gauge = None if _threads_are_greenlets() else _find_gauge(self.tracer, capacity)

    def start(self) -> None:
        """Trace this thread and those to come; on 3.12 and later all of them."""
        global _recorder
        _prepare()
        _recorder = self
        if "asyncio.tasks" in sys.modules:
            self.tracer.log_async = True
        self.resume()
        self.tracer.start()

    def stop(self) -> None:
        """Stop tracing; calls that are under way end now."""
        global _recorder
        self.tracer.add_instant(MARK)
        self.tracer.stop("flush_as_finish")
        self.pause()
        _recorder = None
        if sys.version_info < (3, 12):
            # viztracer sets it; threads that are started from now on need not pay for it.
            threading.setprofile(None)

    def save(self, path: Path) -> None:
        """Write the trace in viztracer's own format; OSError if it does not fit on the disk."""
        part = path.with_name(f".{path.name}.part")
        self.tracer.dump(str(part))
        # viztracer writes without a look at the outcome.
        with part.open("rb") as file:
            file.seek(max(0, part.stat().st_size - len(_LAST)))
            end = file.read()
        if end != _LAST:
            part.unlink()
            raise OSError(f"{path} was not written to its end; is the disk full?")
        part.replace(path)

    def abandon(self) -> None:
        """Stop tracing in a forked child; what the parent recorded stays untouched."""
        global _recorder
        _recorder = None
        self._gauge = None  # its thread was not forked
        self.tracer.stop()
        # viztracer's data of the parent's threads must outlive this process's.
        _abandoned.append(self)

    @property
    def shortest_ns(self) -> int:
        """The length from which on all calls were recorded; 0 if all were."""
        # The setter takes microseconds, the getter gives nanoseconds.
        return int(self.tracer.min_duration)

    def pause(self) -> None:
        """Have no thread of ours in this process; tracing goes on."""
        if self._gauge is not None:
            self._gauge.stop()

    def resume(self) -> None:
        """Go on after ``pause``."""
        if self._gauge is not None:
            self._gauge.start()


class _Gauge:
    """Raises the tracer's ``min_duration`` as its buffer fills, from a thread of its own.

    The thread is made of C functions alone: running Python code in it, viztracer would trace it
    and ``threading`` would list it, on 3.12 and later.
    """

    def __init__(self, tracer: VizTracer, fill: ctypes.Array[ctypes.c_long], capacity: int) -> None:
        self._tracer = tracer
        self._fill = fill
        self._halt = _thread.allocate_lock()
        self._halt.acquire()
        self._limits = [capacity - (capacity >> half) for half in range(1, _HALVINGS)]
        self._durations = [0.0, *(_FIRST_US * _FACTOR**step for step in range(_HALVINGS))]
        self._thread: int | None = None

    def start(self) -> None:
        import bisect

        reached = self._durations.index(self._tracer.min_duration / 1000)
        ticks = iter(partial(self._halt.acquire, True, _CHECK_S), True)
        fills = map(self._fill.__getitem__, map((0,).__getitem__, ticks))
        levels = accumulate(map(partial(bisect.bisect, self._limits), fills), max, initial=reached)
        durations = map(self._durations.__getitem__, levels)
        settings = map(partial(setattr, self._tracer, "min_duration"), durations)
        nowhere: deque[None] = deque(maxlen=0)
        ident = _thread.start_new_thread(nowhere.extend, (settings,))
        # clock_getcpuclockid(3): the clock of a thread holds its native id.
        self._thread = ~(time.pthread_getcpuclockid(ident) >> 3)

    def stop(self) -> None:
        if self._thread is None:
            return
        self._halt.release()
        # Python warns of a fork beside other threads, and sees them until they are wholly gone.
        while Path(f"/proc/self/task/{self._thread}").exists():
            time.sleep(0.0001)
        self._thread = None


def _find_gauge(tracer: VizTracer, capacity: int) -> _Gauge | None:
    """Find where in the tracer its fill is counted; None if that can't be told for sure.

    viztracer does not say how full its buffer is. The object holds the buffer's size (one more
    than its capacity), then the positions of its first and its next entry.
    """
    count = type(tracer).__basicsize__ // ctypes.sizeof(ctypes.c_long)
    words = (ctypes.c_long * count).from_address(id(tracer))
    found = [at for at in range(count - 2) if words[at : at + 3] == [capacity + 1, 0, 0]]
    if len(found) != 1:
        return None
    return _Gauge(tracer, (ctypes.c_long * 1).from_buffer(words, 8 * (found[0] + 2)), capacity)


def unnameable() -> str | None:
    """Find a place of the program whose name is not UTF-8: there viztracer ends the process."""
    script = next((part for part in sys.orig_argv[1:] if not part.startswith("-")), "")
    # Code of a script has its absolute path, before the folder is in the search path.
    for place in (os.path.abspath(script), *sys.path):  # noqa: PTH100
        try:
            place.encode()
        except UnicodeEncodeError:
            return place
    return None


def _threads_out_of_reach() -> tuple[str, ...]:
    """Name the threads that run already: up to 3.11 a thread must begin traced."""
    if sys.version_info >= (3, 12):
        return ()
    here = threading.get_ident()
    return tuple(one.name for one in threading.enumerate() if one.ident != here)


def _threads_are_greenlets() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


_recorder: Recorder | None = None
_abandoned: list[Recorder] = []
_prepared = False


def _prepare() -> None:
    """Do what a process and those forked from it need only once."""
    global _prepared
    if _prepared:
        return
    _prepared = True
    # Tracing that stops by itself is told in the report, not on the target's stderr.
    warnings.filterwarnings("ignore", message="VizTracer: ")
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork)
    on_import("asyncio.tasks", _follow_tasks)


def _before_fork() -> None:
    if _recorder is not None:
        _recorder.pause()


def _after_fork() -> None:
    if _recorder is not None:
        _recorder.resume()


def _follow_tasks(_tasks: Any) -> None:
    # viztracer imports asyncio for this, so not before the program does.
    if _recorder is not None:
        _recorder.tracer.log_async = True
