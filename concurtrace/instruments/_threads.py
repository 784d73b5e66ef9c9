"""Do something in every thread of a process, as its first and last act."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from typing import Any


class EveryThread:
    """Calls ``start`` and ``end`` inside each thread that begins between enter and exit.

    ``start`` runs in the new thread before any function of the program, ``end`` when the last has
    returned. Threads of ``threading`` and of ``_thread`` are seen; those that C code starts by
    itself are not, nor are those that already run: ``running_threads`` lists them.
    """

    def __init__(self, start: Callable[[], None], end: Callable[[], None]) -> None:
        self._start = start
        self._end = end
        self._active = False
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def enter(self) -> None:
        """Begin to look after new threads."""
        self._active = True
        self._replace(threading.Thread, "_bootstrap_inner", self._around)
        # threading keeps its own reference to this one, so no thread is seen twice.
        self._replace(_thread, "start_new_thread", self._started)
        self._replace(_thread, "start_new", self._started)

    def exit(self) -> None:
        """Leave new threads alone; those that were started keep what ``start`` did."""
        self._active = False
        for owner, name, ours, original in reversed(self._replaced):
            # Who has wrapped it meanwhile keeps working: ours hands on without doing anything.
            if getattr(owner, name) is ours:
                setattr(owner, name, original)
        self._replaced.clear()

    def _replace(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        ours = wrap(original)
        setattr(owner, name, ours)
        self._replaced.append((owner, name, ours, original))

    def _around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            if not self._active:
                return original(*arguments, **named)
            self._start()
            try:
                return original(*arguments, **named)
            finally:
                self._end()

        return watched

    def _started(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def start_new_thread(
            function: Callable[..., Any],
            arguments: tuple[Any, ...],
            named: dict[str, Any] | None = None,
        ) -> Any:
            return original(self._around(function), arguments, named or {})

        return start_new_thread


def running_threads() -> dict[int, str]:
    """Return ``{thread identifier: name}`` of all threads that run Python now.

    Threads that threading has not started have no name. No lock is taken: in a forked child, or
    where a signal interrupted threading, it may never be had.
    """
    known: dict[int, Any] = dict(vars(threading)["_active"])
    return {ident: known[ident]._name if ident in known else "" for ident in sys._current_frames()}
