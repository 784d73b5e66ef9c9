"""Make unlucky moments likely inside every Python process of a target: what ``stress`` varies.

A thread switches at the end of the switch interval, and only between certain bytecodes, so a
race may lie hidden for years. Here threads also pause for a moment in the middle of a line, drawn
from a seed. Imported in every process before anything of the target, so it imports next to nothing.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any

from concurtrace.on_import import on_import

VARIABLE = "CONCURTRACE_PRESSURE"
_ONE_IN = 40
"""One bytecode in so many is followed by a pause: often enough to part the steps of a line."""
_PAUSES = 4000
"""The pauses of a process, each about 60 us on Linux: a quarter of a second at most."""
_PAUSE_S = 1e-6
"""Any time: what counts is that the thread leaves its core and the GIL."""
_Trace = Callable[[FrameType, str, Any], Any]
_TOOL = 4
"""An id of ``sys.monitoring`` that no kind of tool has reserved."""


def apply() -> None:
    """Put this process under the pressure that its environment asks for, if any."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    spec = json.loads(wanted)
    sys.setswitchinterval(spec["switch_interval_s"])
    if spec["start_method"]:
        on_import("multiprocessing.context", lambda module: _start_by(module, spec["start_method"]))
    _tell_where_it_hangs()
    if spec["yields"]:
        _interrupt_lines(_Pauses(spec["yields"]), tuple(spec["own"]))


def _start_by(context: ModuleType, method: str) -> None:
    # The default, not the choice: the target may still choose for itself.
    default: Any = context._default_context
    default._default_context = context._concrete_contexts[method]


def _tell_where_it_hangs() -> None:
    import faulthandler

    # SIGTERM comes at the time limit; Python's own handler would never run in a blocked thread.
    faulthandler.register(signal.SIGTERM, file=2, chain=True)


class _Pauses:
    """Decide, from a seed, after which bytecodes a thread pauses."""

    def __init__(self, seed: int) -> None:
        import random
        import time

        self.left = _PAUSES
        self._draw = random.Random(seed).randrange  # noqa: S311 - not for secrets
        # As it is now: gevent would make it a turn of its loop.
        self._sleep = time.sleep

    def maybe(self) -> None:
        """Pause, or not."""
        if self.left > 0 and self._draw(_ONE_IN) == 0:
            self.left -= 1
            self._sleep(_PAUSE_S)


def _interrupt_lines(pauses: _Pauses, own: tuple[str, ...]) -> None:
    """Pause between the bytecodes of the target's own code, in every thread."""
    if sys.version_info >= (3, 12):
        _by_monitoring(pauses, own)
    else:
        _by_tracing(pauses, own)


if sys.version_info >= (3, 12):

    def _by_monitoring(pauses: _Pauses, own: tuple[str, ...]) -> None:
        monitoring = sys.monitoring
        events = monitoring.events

        def started(code: CodeType, _offset: int) -> Any:
            if code.co_filename.startswith(own):
                monitoring.set_local_events(_TOOL, code, events.INSTRUCTION)
            return monitoring.DISABLE

        def stepped(_code: CodeType, _offset: int) -> Any:
            pauses.maybe()
            return monitoring.DISABLE if pauses.left <= 0 else None

        monitoring.use_tool_id(_TOOL, "concurtrace stress")
        monitoring.register_callback(_TOOL, events.PY_START, started)
        monitoring.register_callback(_TOOL, events.INSTRUCTION, stepped)
        monitoring.set_events(_TOOL, events.PY_START)


def _by_tracing(pauses: _Pauses, own: tuple[str, ...]) -> None:
    def stepped(_frame: FrameType, event: str, _argument: Any) -> _Trace | None:
        if event == "opcode":
            pauses.maybe()
        return stepped if pauses.left > 0 else None

    def called(frame: FrameType, _event: str, _argument: Any) -> _Trace | None:
        if pauses.left <= 0 or not frame.f_code.co_filename.startswith(own):
            return None
        frame.f_trace_opcodes = True
        return stepped

    def follow(threading: ModuleType) -> None:
        threading.settrace(called)

    on_import("threading", follow)
    sys.settrace(called)
