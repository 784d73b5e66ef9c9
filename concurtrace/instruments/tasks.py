"""Event loops: every step of every task, what it waited for, and how late the loop was.

A small extension takes the place of a few methods of asyncio in the target and writes a record per
step. Of greenlets it is told every switch. Calls given to an executor's threads are told too,
whoever gives them.
"""

from __future__ import annotations

import functools
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from concurtrace.instruments import Instrument, Options, Probe, Site
from concurtrace.on_import import on_import

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from concurtrace.model.recording import Recording

MODULE = "concurtrace._tasks"
MAX_BYTES = 32 << 20
"""What the recordings of all processes may take on disk unless --max-trace-size says otherwise."""
_BUDGET = "budget.ctb"
_SUFFIX = ".ctt"
_NOTES = ".notes"

_EXECUTOR = "concurrent.futures.thread"
# Whose attribute becomes which hook of the extension: module, class or "", attribute, hook.
_HOOKS = (
    ("asyncio.events", "Handle", "_run", "run"),
    ("asyncio.base_events", "BaseEventLoop", "_run_once", "run_once"),
    ("asyncio.base_events", "BaseEventLoop", "_call_soon", "call_soon"),
    ("asyncio.base_events", "BaseEventLoop", "call_exception_handler", "failed"),
    ("asyncio.base_events", "BaseEventLoop", "close", "close"),
    ("asyncio.runners", "", "_cancel_all_tasks", "cancel_all"),
    ("asyncio.tasks", "_CTask", "cancel", "cancel"),
    ("asyncio.tasks", "_PyTask", "cancel", "cancel_py"),
    ("uvloop", "Loop", "call_soon", "uvloop_soon"),
    ("uvloop", "Loop", "call_soon_threadsafe", "uvloop_threadsafe"),
    ("uvloop", "Loop", "call_later", "uvloop_later"),
    ("uvloop", "Loop", "call_exception_handler", "uvloop_failed"),
    ("uvloop", "Loop", "close", "uvloop_close"),
    ("selectors", "EpollSelector", "select", "select_epoll"),
    ("selectors", "PollSelector", "select", "select_poll"),
    ("selectors", "SelectSelector", "select", "select_select"),
    (_EXECUTOR, "_WorkItem", "__init__", "job_init"),
    (_EXECUTOR, "_WorkItem", "run", "job_run"),
    ("twisted.internet.defer", "", "_inlineCallbacks", "twisted_inline"),
    ("twisted.internet.base", "ReactorBase", "runUntilCurrent", "twisted_delayed"),
    ("twisted.internet.posixbase", "_PollLikeMixin", "_doReadOrWrite", "twisted_event"),
    ("warnings", "", "_warn_unawaited_coroutine", "unawaited"),
)
_LEARNT = ("asyncio.events", "asyncio.tasks")
_HUBS = "gevent.hub"
_STARTS = ("asyncio.events", _HUBS, "twisted.internet.defer", "twisted.internet.base", _EXECUTOR)
"""With these there is something that may run a loop, or calls for an executor's threads."""
_NOT_FOLLOWED = {
    "uvloop": "what its transports and readers run is not seen, only tasks and scheduled calls; its"
    " idle time comes from the states of the thread, and how late timers were is not known"
}


class TaskProbe(Probe):
    """Watches what runs event loops in one process, from the moment it is imported."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._extension: Any = None
        self._started = False
        self._undo: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Watch asyncio and greenlets, now or as soon as they are there."""
        if not getattr(sys, "_is_gil_enabled", lambda: True)():
            self._note("free-threaded Python", "steps are recorded under the GIL only")
            return
        from importlib import import_module

        self._extension = import_module(MODULE)
        # One watch for each module: of several, only the last would be told.
        for module in dict.fromkeys(
            (*(one[0] for one in _HOOKS), *_LEARNT, *_STARTS, *_NOT_FOLLOWED)
        ):
            on_import(module, self._seen)

    def _seen(self, module: ModuleType) -> None:
        """Do what there is to do about a module that has just been imported."""
        if self._extension is None:
            return
        name = module.__name__
        if name in _LEARNT:
            self._extension.learn(module)
        if name in _STARTS:
            self._start()
        if name == _HUBS:
            self._watch_hubs(module)
        for hooked, owner, attribute, what in _HOOKS:
            if hooked == name:
                where = getattr(module, owner, None) if owner else module
                if where is not None:
                    self._extension.hook(where, attribute, what)
        if name in _NOT_FOLLOWED:
            self._note(name, _NOT_FOLLOWED[name])

    def _watch_hubs(self, hub: ModuleType) -> None:
        """Be told every switch in this thread, and in each that gets a hub of its own."""
        import greenlet  # type: ignore[import-untyped,unused-ignore]

        switched, original = self._extension.switched, hub.Hub.__init__
        if greenlet.gettrace() not in (None, switched):
            self._note("greenlets", "something else is told of their switches already")
            return
        greenlet.settrace(switched)

        @functools.wraps(original)
        def made(one: Any, *args: Any, **kwargs: Any) -> None:
            original(one, *args, **kwargs)
            if self._extension is not None and greenlet.gettrace() is None:
                greenlet.settrace(switched)

        def undo() -> None:
            if hub.Hub.__init__ is made:
                hub.Hub.__init__ = original
            if greenlet.gettrace() is switched:
                greenlet.settrace(None)

        hub.Hub.__init__ = made
        self._undo.append(undo)

    def _start(self) -> None:
        """Make the file."""
        if not self._started:
            self._started = True
            self._extension.start(
                str(self._site.file(_SUFFIX)),
                str(self._site.out / _BUDGET),
                int(self._site.options.get("max_bytes", MAX_BYTES)),
            )

    def _note(self, what: str, why: str) -> None:
        with self._site.file(_NOTES).open("a", encoding="utf-8") as notes:
            notes.write(f"{what}\t{why}\n")

    def end(self) -> None:
        """Put everything back as it was and close the file."""
        if self._extension is not None:
            for undo in self._undo:
                undo()
            self._extension.stop()
            self._extension = None

    def abandon(self) -> None:
        """Let go of the parent's file; the hooks stay, for this process's own probe."""
        if self._extension is not None:
            self._extension.abandon()
            self._extension = None


class Tasks(Instrument):
    """Cheap enough to share the light pass, whose thread states its steps are laid over."""

    name = "tasks"
    summary = "event loops: the steps and waits of every task, and how late loops were"
    joins = "light"
    on_import = ("asyncio", "gevent", "twisted", _EXECUTOR)

    def missing(self) -> str | None:
        """Say that the extension was not built."""
        if find_spec(MODULE) is None:
            return (
                "the recorder of tasks was not built: install a C compiler, then install"
                " concurtrace again"
            )
        return None

    def probe(self, site: Site) -> Probe | None:
        """Make the part inside one process of the target."""
        return TaskProbe(site)

    def read(self, out: Path, options: Options) -> Recording:
        """Decode what was recorded; nothing where no event loop ran."""
        from concurtrace.model.recording import Recording
        from concurtrace.recording.task_trace import read_task_trace

        found = read_task_trace(out)
        return Recording(tasks=found if found.processes or found.losses else None)


INSTRUMENT = Tasks()
