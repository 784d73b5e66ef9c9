"""The part of concurtrace inside every Python process of the target.

It registers the process and its threads by name, and starts and stops the probes of the pass's
instruments at the right moments: at the start of the work, in each forked, spawned or forkserver
child, before ``os._exit``, on SIGTERM, and at exit. It is imported in every process, so it imports
next to nothing: not even ``typing``, which would cost more than all that a light pass does here.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import sys
import time

from concurtrace.on_import import on_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType
    from typing import Any, NoReturn

    from concurtrace.instruments import Probe
    from concurtrace.launch.unheard import Unheard

VARIABLE = "CONCURTRACE_AGENT"
_RECORDER = "CONCURTRACE_STATES_DIR"
"""Set where the native recorder is preloaded."""
_QUEUES = ("queue", "asyncio.queues", "multiprocessing.queues")
NUDGE = signal.SIGURG
"""Ignored where nobody handles it. See ``nudge``."""
_KEEPERS = ("concurrent.futures._base", "multiprocessing.pool")
"""Modules whose results keep exceptions until somebody asks. See ``unheard``."""
TOLD = ".told"
"""The file ``<pid>.told`` says that a process was sent SIGTERM. See ``nudge``."""

_json: Any = json.encoder
_encode = _json.c_make_encoder(
    None, None, _json.encode_basestring_ascii, None, ": ", ", ", False, False, False
)


class Agent:
    """The agent of one process; see ``start``."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.started_by = _how_started(spec["launcher_pid"])
        self.probes: list[Probe] = []
        self.active = False
        self.waits_for_bootstrap = self.started_by in ("spawn", "forkserver")
        self.unheard: Unheard | None = None
        self.runtime: Any = None
        self._renew()
        self._os_exit = os._exit
        self._os_kill = os.kill

    def _renew(self) -> None:
        """Take on the identity of this process; again in each forked child."""
        self.pid = os.getpid()
        self.stem = f"{self.pid}-{time.monotonic_ns()}"
        self.registered = False
        self.busy = False
        self.told_to_end = False
        self.made: set[str] = set()

    def register(self, name: str) -> None:
        """Write who this process is, as the first line of its own file."""
        self.registered = True
        self._note(
            process=name,
            pid=self.pid,
            parent_pid=os.getppid(),
            started_by=self.started_by,
            start_ns=int(self.stem.partition("-")[2]),
        )
        threading = sys.modules.get("threading")
        if threading is not None:
            # In a forked child threading still knows the threads of the parent, and its lock may be
            # held by one of them: look without it, and only at those that are here.
            here, running = threading.get_ident(), sys._current_frames()
            for ident, thread in list(threading._active.items()):
                if ident in running:
                    tid = threading.get_native_id() if ident == here else thread._native_id
                    self._note(thread=thread._name, tid=tid)

    def _note(self, **entry: object) -> None:
        # One write of one line: valid whatever kills the process next. Only C code is called here:
        # the functions of a library would show among the target's while probes watch.
        line = "".join(_encode({**entry, "at_ns": time.monotonic_ns()}, 0)) + "\n"
        path = f"{self.spec['processes']}/{self.stem}.jsonl"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def install(self) -> None:
        """Put the hooks in place; called once, at the start of the interpreter."""
        on_import("threading", self._watch_threads)
        on_import("multiprocessing.process", self._watch_children)
        for keeper in _KEEPERS:
            on_import(keeper, lambda module: self._unheard().watch(module))
        os.register_at_fork(after_in_child=self._after_fork)
        if self.spec["ends"]:
            atexit.register(self.end)
            os._exit = self._exit_now
            os.kill = self._kill
            if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._terminated)
                if signal.getsignal(NUDGE) == signal.SIG_DFL:
                    signal.signal(NUDGE, self._nudged)
        if self.started_by == "subprocess" or self._is_root_script():
            self.begin(_program_name())

    def _is_root_script(self) -> bool:
        return self.started_by == "main" and self.spec["begin"] == "at-start"

    def begin(self, name: str) -> None:
        """Start watching this process."""
        if self.active:
            return
        self.busy = True
        try:
            if not self.registered:
                self.register(name)
            self.probes = self._make_probes()
            self.active = True
            for probe in self.probes:
                self._shield(probe, probe.begin)
            self._tell_runtime()
        finally:
            self._settle()

    def _tell_runtime(self) -> None:
        """Tell the recorder what only Python itself knows: its collections and its queues."""
        if _RECORDER not in os.environ:
            return
        if self.runtime is None:
            try:
                from concurtrace import _runtime
            except ImportError:  # it was built for another Python: then nobody tells of these
                return
            self.runtime = _runtime
            for name in _QUEUES:
                on_import(name, self._watch_queues)
        self.runtime.watch_collector()

    def _watch_queues(self, module: ModuleType) -> None:
        from concurtrace.launch.queues import show

        show(module, self.runtime.watch_queue)

    def _settle(self) -> None:
        """Do what was put off: SIGTERM waits until what it would leave half done is done."""
        self.busy = False
        if self.told_to_end and _in_main_thread():
            self._die_of_sigterm()

    def _make_probes(self) -> list[Probe]:
        due = [entry for entry in self.spec["instruments"] if self._is_due(entry)]
        return [probe for entry in due if (probe := self._make_probe(entry)) is not None]

    def _is_due(self, entry: dict[str, Any]) -> bool:
        """Tell whether a probe is wanted now; else put it off until one of its modules comes."""
        awaited = entry.get("on_import", ())
        if not awaited or any(name in sys.modules for name in awaited):
            return True
        for name in awaited:
            on_import(name, lambda _module: self._begin_late(entry))
        return False

    def _begin_late(self, entry: dict[str, Any]) -> None:
        if not self.active or entry["module"] in self.made:
            return
        self.busy = True
        try:
            probe = self._make_probe(entry)
            if probe is not None:
                self.probes.append(probe)
                self._shield(probe, probe.begin)
        finally:
            self._settle()

    def _make_probe(self, entry: dict[str, Any]) -> Probe | None:
        from importlib import import_module
        from pathlib import Path

        from concurtrace.instruments import Site

        self.made.add(entry["module"])
        instrument = import_module(entry["module"]).INSTRUMENT
        site = Site(
            Path(entry["out"]),
            self.stem,
            entry["options"],
            tuple(self.spec["modules"]),
            self.started_by,
        )
        made: Probe | None = instrument.probe(site)
        return made

    def end(self) -> None:
        """Stop watching this process and write what was recorded; harmless when called again."""
        if not self.active or os.getpid() != self.pid:
            return
        self.active, self.busy = False, True
        if self.runtime is not None:
            self.runtime.leave_collector()
        for probe in reversed(self.probes):
            self._shield(probe, probe.end)
        if self.unheard is not None:
            self.unheard.tell()
        # The kernel counts the switches of ended threads here, and nowhere else.
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._note(ended=True, voluntary=usage.ru_nvcsw, involuntary=usage.ru_nivcsw)
        self._settle()

    def _shield(self, probe: Probe, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # a probe must never break the target
            self._note(failed=type(probe).__name__, error=f"{type(error).__name__}: {error}")

    def _after_fork(self) -> None:
        inherited, self.probes = self.probes, []
        for probe in inherited:
            probe.abandon()
        if self.unheard is not None:
            self.unheard.forget()
        was_active, self.active = self.active, False
        self._renew()
        self.started_by = "forkserver" if self.started_by == "forkserver" else "fork"
        if was_active:
            self.begin("forked")

    def _watch_threads(self, threading: Any) -> None:
        original = threading.Thread._set_native_id

        def set_native_id(thread: Any) -> None:
            original(thread)
            if self.registered:
                self._note(thread=thread._name, tid=thread._native_id)

        make_hook = threading._make_invoke_excepthook

        def make_invoke_excepthook() -> Callable[[Any], None]:
            invoke = make_hook()

            def invoke_excepthook(thread: Any) -> None:
                self._unheard().ended_thread(thread, threading)
                invoke(thread)

            return invoke_excepthook

        threading.Thread._set_native_id = set_native_id
        threading._make_invoke_excepthook = make_invoke_excepthook

    def _unheard(self) -> Unheard:
        """Follow exceptions that may get lost; few processes have any."""
        if self.unheard is None:
            from concurtrace.launch.unheard import Unheard

            self.unheard = Unheard(self._note_lost)
        return self.unheard

    def _note_lost(self, **entry: object) -> None:
        if self.registered:
            self._note(**entry)

    def _watch_children(self, process: ModuleType) -> None:
        original = process.BaseProcess._bootstrap

        def bootstrap(child: Any, *args: Any, **kwargs: Any) -> int:
            # A forked child began at the fork under a name it did not know yet.
            if self.registered:
                self._note(process=child._name)
            if self.waits_for_bootstrap or self.active:
                self.begin(child._name)
            try:
                return int(original(child, *args, **kwargs))
            finally:
                self.end()

        process.BaseProcess._bootstrap = bootstrap

    def _exit_now(self, status: int) -> NoReturn:
        self.end()
        self._os_exit(status)

    def _kill(self, pid: int, number: int) -> None:
        """Send a signal as ``os.kill`` does; tell the launcher whom it may have to nudge."""
        self._os_kill(pid, number)
        if number == signal.SIGTERM and pid > 0:
            told = f"{self.spec['processes']}/{pid}{TOLD}"
            os.close(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))

    def _terminated(self, _number: int, _frame: FrameType | None) -> None:
        if self.busy:
            self.told_to_end = True
            return
        import faulthandler

        stacks = os.path.join(self.spec["processes"], self.stem + ".stacks")  # noqa: PTH118
        with open(stacks, "w") as file:  # noqa: PTH123
            faulthandler.dump_traceback(file)
        self._die_of_sigterm()

    def _nudged(self, number: int, frame: FrameType | None) -> None:
        """Interrupt a blocking call; Python then sees a SIGTERM that came just before it.

        One that reached a child in the middle of its fork is gone: Python forgets what was pending.
        """
        told = f"{self.spec['processes']}/{os.getpid()}{TOLD}"
        if signal.getsignal(signal.SIGTERM) == self._terminated and os.access(told, os.F_OK):
            self._terminated(number, frame)

    def _die_of_sigterm(self) -> None:
        self.told_to_end = False
        self.end()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _how_started(launcher_pid: int) -> str:
    """Tell from the command line how this interpreter was started."""
    command = " ".join(sys.orig_argv)
    if "multiprocessing.resource_tracker" in command:
        return "resource-tracker"
    if "--multiprocessing-fork" in command:
        return "spawn"
    if "multiprocessing.forkserver" in command:
        return "forkserver"
    return "main" if os.getppid() == launcher_pid else "subprocess"


def _in_main_thread() -> bool:
    # Another thread ends the watching only on its way to os._exit.
    threading = sys.modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()


def _program_name() -> str:
    # sys.argv is not there yet while site runs.
    for part in sys.orig_argv[1:]:
        if part == "-c":
            return part
        if not part.startswith("-"):
            return os.path.basename(part)  # noqa: PTH119
    return "python"


_agent: Agent | None = None


def start() -> None:
    """Start the agent of this process, if the launcher asked for one."""
    global _agent
    path = os.environ.get(VARIABLE)
    if path is None:
        return
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        spec = json.load(file)
    agent = Agent(spec)
    if agent.started_by != "resource-tracker":
        _agent = agent
        agent.install()


def watched(work: Callable[[], None], name: str) -> None:
    """Call ``work`` while this process is watched; how the harness marks where the work is."""
    if _agent is None:
        work()
        return
    _agent.begin(name)
    try:
        work()
    finally:
        _agent.end()
