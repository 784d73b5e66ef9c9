"""Ctrl-C while a run is under way: the target gets it once, the report is still written."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType


class Interrupts:
    """Count the SIGINTs and SIGTERMs of a run.

    The first one ends the run after the current execution, and is handed on to the target where
    the terminal does not do that; a second one stops the target at once.
    """

    def __init__(self) -> None:
        self._count = 0
        self._group: int | None = None
        self._running = False

    @property
    def happened(self) -> bool:
        """Whether there was one: no further pass is to be started."""
        return self._count > 0

    @property
    def insisted(self) -> bool:
        """Whether there was a second one: the target is to be stopped now."""
        return self._count > 1

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Take the signals over for the time of a run."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._interrupted) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def handed_to(self, group: int | None) -> Iterator[None]:
        """Hand the first signal on to a process group; None where the terminal does that."""
        self._group = group
        self._running = True
        try:
            yield
        finally:
            self._group = None
            self._running = False

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._group is not None and self._count == 1:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGINT)
        if self.insisted and not self._running:
            # Nothing of the target runs: what hangs is ours.
            raise KeyboardInterrupt
