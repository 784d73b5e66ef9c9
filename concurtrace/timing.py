"""Time a piece of a program: a context manager and a decorator.

``with Timer() as timer: work()`` leaves ``timer.elapsed_ns``; ``@timed`` makes a function return
what it took beside its result. ``concurtrace bench`` uses the first; both are there for programs.
"""

import functools
import time
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Timer:
    """Measure a block's wall time, also of one that an exception ends; may be used again."""

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self._started_ns = 0

    def __enter__(self) -> Self:
        self._started_ns = time.perf_counter_ns()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _raised: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self.elapsed_ns = time.perf_counter_ns() - self._started_ns


def timed(function: Callable[_P, _R]) -> Callable[_P, tuple[_R, int]]:
    """Make a function return its result and its wall time in nanoseconds."""

    @functools.wraps(function)
    def around(*args: _P.args, **kwargs: _P.kwargs) -> tuple[_R, int]:
        with Timer() as timer:
            result = function(*args, **kwargs)
        return result, timer.elapsed_ns

    return around
