"""cProfile's engine, one per thread, on every Python.

``_lsprof.Profiler`` watches the thread that enables it up to Python 3.11. From 3.12 on it feeds the
events of all threads into one call stack, so that callers, times and recursion come out wrong, and
a second one may not be enabled beside it. There the events are dispatched here instead: each
thread's to a profiler of its own, which is never enabled and thus sees nothing else.

Both keep counts exact. The time a dispatch takes (about 0.1 µs per event) is charged to the
function that causes the event.
"""

from __future__ import annotations

import _thread
import operator
import sys
from _lsprof import Profiler
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from concurtrace.instruments._threads import EveryThread, running_threads


@dataclass(frozen=True)
class ThreadStats:
    """What the profiler of one thread counted, as ``_lsprof.Profiler.getstats`` gives it.

    ``name`` is empty where the thread has ended; ``losses`` says why something is missing.
    """

    tid: int
    name: str
    entries: list[Any]
    losses: tuple[str, ...] = ()


class Collector(Protocol):
    """Profiles every thread of this process between start and stop."""

    def start(self) -> None:
        """Start with the calling thread; threads that start later are profiled too."""

    def stop(self) -> list[ThreadStats]:
        """Stop, and return what was counted; calls still running count up to now."""

    def forget(self) -> None:
        """Stop in a forked child, where nothing that was counted is of this process."""

    @property
    def missed(self) -> tuple[str, ...]:
        """The names of threads that ran already and could not be profiled."""


@dataclass(frozen=True)
class _Profiled:
    tid: int
    ident: int
    profiler: Profiler
    losses: list[str]


class EnabledCollector:
    """Enables a profiler in each thread: Python 3.11."""

    def __init__(self) -> None:
        self._threads: list[_Profiled] = []
        self._running: dict[int, _Profiled] = {}
        self._every_thread = EveryThread(self._enable, self._disable)
        self._missed: tuple[str, ...] = ()

    @property
    def missed(self) -> tuple[str, ...]:
        """The threads that ran before: a thread can only be profiled from inside."""
        return self._missed

    def start(self) -> None:
        """Profile the calling thread and all that start from now on."""
        here = _thread.get_ident()
        others = [name for ident, name in running_threads().items() if ident != here]
        self._missed = tuple(name or "without a name" for name in others)
        self._every_thread.enter()
        self._enable()

    def stop(self) -> list[ThreadStats]:
        """Stop the calling thread and read all."""
        self._disable()
        self._every_thread.exit()
        names = running_threads()
        return [
            _read(one, ("disable", "getstats"), names.get(one.ident, "")) for one in self._threads
        ]

    def forget(self) -> None:
        """Stop profiling the thread that forked, the only one that is left."""
        # All of them: one that is enabled stops whatever profiles when it is deallocated.
        for one in self._threads:
            one.profiler.disable()
        self._every_thread.exit()

    def _enable(self) -> None:
        one = _Profiled(_thread.get_native_id(), _thread.get_ident(), Profiler(), [])
        self._threads.append(one)
        self._running[one.ident] = one
        one.profiler.enable()

    def _disable(self) -> None:
        one = self._running.pop(_thread.get_ident(), None)
        if one is None:
            return
        here: Any = sys.getprofile()
        if here is one.profiler:
            one.profiler.disable()
        else:
            one.losses.append("the program set a profiler of its own")


class DispatchingCollector:
    """Hands each thread's monitoring events to its own profiler: from Python 3.12 on."""

    # Not 2, cProfile's own: the program may use cProfile at the same time.
    _TOOL_IDS = (4, 3, 1, 0, 2)

    def __init__(self) -> None:
        self._threads: list[_Profiled] = []
        self._monitoring: Any = sys.__dict__["monitoring"]
        self._tool_id: int | None = None

    @property
    def missed(self) -> tuple[str, ...]:
        """None: the events of all threads arrive, whenever they started."""
        return ()

    def start(self) -> None:
        """Profile every thread from now on; RuntimeError if other tools took all places."""
        monitoring = self._monitoring
        free = (one for one in self._TOOL_IDS if monitoring.get_tool(one) is None)
        self._tool_id = next(free, None)
        if self._tool_id is None:
            raise RuntimeError("other tools take all of sys.monitoring")
        monitoring.use_tool_id(self._tool_id, "concurtrace")
        callbacks = _dispatchers(_Here(self._threads))
        wanted = 0
        for name, callback in callbacks.items():
            event = getattr(monitoring.events, name)
            monitoring.register_callback(self._tool_id, event, callback)
            if name not in ("C_RETURN", "C_RAISE"):  # these two come with CALL
                wanted |= event
        monitoring.set_events(self._tool_id, wanted)

    def stop(self) -> list[ThreadStats]:
        """Stop all threads and read them."""
        self.forget()
        names = running_threads()
        # Enabling and disabling a profiler closes the calls that it has seen begin.
        steps = {True: ("enable", "disable", "getstats"), False: ("getstats",)}
        return [
            _read(one, steps[one.ident in names], names.get(one.ident, "")) for one in self._threads
        ]

    def forget(self) -> None:
        """Stop; a forked child inherits the tool's place and has to give it back."""
        if self._tool_id is not None:
            self._monitoring.set_events(self._tool_id, 0)
            self._monitoring.free_tool_id(self._tool_id)
            self._tool_id = None


class _Here(_thread._local):
    """The calling thread's profiler; made by itself when a thread is seen for the first time."""

    def __init__(self, threads: list[_Profiled]) -> None:
        profiler: Any = Profiler()
        threads.append(_Profiled(_thread.get_native_id(), _thread.get_ident(), profiler, []))
        self.enter = profiler._pystart_callback
        self.leave = profiler._pyreturn_callback
        self.enter_builtin = profiler._ccall_callback
        self.leave_builtin = profiler._creturn_callback


class _Dispatch(_thread._local):
    """Calls the calling thread's callback with its own arguments, through C code alone.

    In a dispatcher written in Python the interpreter would take the chance to run signal handlers
    and the garbage collector, unseen: events are not reported while one is being handled.
    """

    def __init__(self, here: _Here, name: str) -> None:
        self.callback = getattr(here, name)

    __call__ = property(operator.attrgetter("callback"))


def _dispatchers(here: _Here) -> dict[str, Callable[..., None]]:
    names = ("enter", "leave", "enter_builtin", "leave_builtin")
    enter, leave, enter_builtin, leave_builtin = (_Dispatch(here, name) for name in names)

    def throw(code: object, offset: int, _error: object) -> None:
        enter(code, offset)

    return {
        "PY_START": enter,
        "PY_RESUME": enter,
        "PY_THROW": throw,
        "PY_RETURN": leave,
        "PY_YIELD": leave,
        "PY_UNWIND": leave,
        "CALL": enter_builtin,
        "C_RETURN": leave_builtin,
        "C_RAISE": leave_builtin,
    }


def _read(one: _Profiled, steps: Iterable[str], name: str) -> ThreadStats:
    """Take several steps with a profiler without a moment in which another thread could run."""
    losses = tuple(one.losses)
    try:
        # A loop inside map and list: the interpreter switches threads only between bytecodes.
        *_, entries = list(map(operator.call, [getattr(one.profiler, step) for step in steps]))
    except ValueError:
        entries = one.profiler.getstats()
        losses += ("another profiler was active: calls still running at the end are missing",)
    return ThreadStats(one.tid, name, entries, losses)


def make_collector() -> Collector:
    """Return the collector for this Python."""
    return EnabledCollector() if sys.version_info < (3, 12) else DispatchingCollector()
