"""Exceptions that nobody hears of: they end a thread, or stay in a result that is thrown away.

Loaded inside the target, and only once something was imported that can keep an exception to itself,
or a thread has failed. The target does not notice: excepthooks stay its own, tracebacks get no
further frame, and no ``__str__`` of its own is called. What was lost is noted in the registry.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import sys
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Frames = list[tuple[str, int, int, str]]

_MOST_KINDS = 100
"""Exceptions of so many kinds are noted; a kind is a class raised in one place."""
_MOST_FRAMES = 16
_LONGEST = 300
_PLAIN = (str, bytes, int, float, bool, type(None))


class Unheard:
    """What was lost in one process; ``note`` writes an entry to its registry."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self._kinds: dict[tuple[str, str, object], _Kind] = {}
        self._kept: dict[int, _Kept] = {}
        self._numbers = itertools.count()
        self._tells_at_exit = False

    def watch(self, module: ModuleType) -> None:
        """Follow exceptions in results of ``concurrent.futures`` or of ``multiprocessing.pool``."""
        if module.__name__ == "concurrent.futures._base":
            module.Future._exception = _Keeper("_exception", self, always=True)
        else:
            module.ApplyResult._value = _Keeper("_value", self, always=False)

    def ended_thread(self, thread: Any, threading: ModuleType) -> None:
        """Note the exception being handled, which ends a thread; not where the target looks."""
        error = sys.exception()
        looked_at = threading.excepthook is not threading.__excepthook__
        if error is not None and not looked_at and not isinstance(error, SystemExit):
            self._lose(self._kind("thread", error), thread._name)

    def kept(self, result: Any, error: BaseException) -> None:
        """Follow a result that failed until somebody asks for it."""
        kind = self._kind("result", error)
        if not self._tells_at_exit:
            # Where nothing else needs to be told how a process ends, its agent is not told either.
            self._tells_at_exit = True
            atexit.register(self.tell)
        kept = _Kept(result, self._thrown_away)
        kept.kind, kept.number = kind, id(result)
        self._kept[kept.number] = kept

    def asked(self, result: Any) -> None:
        """Somebody asks for the exception of a result."""
        kept = self._kept.pop(id(result), None)
        if kept is not None:
            kept.kind.heard += 1

    def _thrown_away(self, kept: _Kept) -> None:
        if self._kept.pop(kept.number, None) is not None:
            self._lose(kept.kind, "")

    def tell(self) -> None:
        """Note, at the end, results nobody has asked for, and how many there were of each kind."""
        for kept in list(self._kept.values()):
            self._thrown_away(kept)
        for kind in list(self._kinds.values()):
            if kind.noted:
                self._note(lost_kind=kind.number, lost_count=kind.lost, heard_count=kind.heard)

    def forget(self) -> None:
        """Let go, in a forked child, of what the parent knew."""
        self._kinds.clear()
        self._kept.clear()

    def _kind(self, how: str, error: BaseException) -> _Kind:
        frames = _frames(error)
        key = (how, type(error).__qualname__, frames[0] if frames else None)
        kind = self._kinds.get(key)
        if kind is None:
            fresh = _Kind(how, next(self._numbers), _words(error), frames)
            kind = self._kinds.setdefault(key, fresh)
        return kind

    def _lose(self, kind: _Kind, who: str) -> None:
        kind.lost += 1
        if not kind.noted and kind.number < _MOST_KINDS:
            kind.noted = True
            # That the disk is full is not to become an exception of the target.
            with contextlib.suppress(OSError):
                self._note(
                    lost_kind=kind.number, how=kind.how, who=who, text=kind.text, frames=kind.frames
                )


class _Kind:
    """Exceptions of one class from one place: how many were lost, and how many were asked for."""

    def __init__(self, how: str, number: int, text: str, frames: Frames) -> None:
        self.how, self.number, self.text, self.frames = how, number, text, frames
        self.lost = self.heard = 0
        self.noted = False


class _Kept(ref):  # type: ignore[type-arg]
    """A result whose exception nobody has asked for yet."""

    __slots__ = ("kind", "number")

    kind: _Kind
    number: int


class _Keeper:
    """Stands where a result keeps its exception, and sees when it comes and when it is asked for.

    The value stays where it was, in the result's own dictionary. ``always``: whatever is kept there
    is an exception, or None; else only where the result has not been a success.
    """

    def __init__(self, name: str, unheard: Unheard, *, always: bool) -> None:
        self._name, self._unheard, self._always = name, unheard, always

    def __get__(self, result: Any, _owner: object = None) -> Any:
        if result is None:
            return self
        try:
            value = result.__dict__[self._name]
        except KeyError:
            raise AttributeError(self._name) from None
        if value is not None and self._failed(result):
            self._unheard.asked(result)
        return value

    def __set__(self, result: Any, value: Any) -> None:
        result.__dict__[self._name] = value
        if value is not None and self._failed(result) and isinstance(value, BaseException):
            self._unheard.kept(result, value)

    def _failed(self, result: Any) -> bool:
        return self._always or result.__dict__.get("_success") is False


def _words(error: BaseException) -> str:
    """Write an exception as the interpreter does, where no code of the target is needed for it."""
    name = type(error).__qualname__
    plain = all(type(one) in _PLAIN for one in error.args)
    if not plain or type(type(error).__str__) is not type(BaseException.__str__):
        return name
    text = str(error)
    return (f"{name}: {text}" if text else name)[:_LONGEST]


def _frames(error: BaseException) -> Frames:
    """List where an exception passed, innermost first: file, line, first line, function."""
    found: Frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append((code.co_filename, trace.tb_lineno, code.co_firstlineno, code.co_qualname))
        trace = trace.tb_next
    # Of an exception from another process only a text tells where it was raised.
    cause = error.__cause__
    if type(cause).__name__ in ("_RemoteTraceback", "RemoteTraceback"):
        found += _remote(getattr(cause, "tb", ""))
    return found[::-1][:_MOST_FRAMES]


def _remote(text: str) -> Frames:
    found: Frames = []
    for line in text.splitlines():
        file, _, rest = line.strip().removeprefix('File "').partition('", line ')
        number, _, name = rest.partition(", in ")
        if number.isdecimal():
            found.append((file, int(number), 0, name))
    return found
