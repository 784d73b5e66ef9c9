"""Exceptions that nobody heard of."""

from dataclasses import dataclass
from enum import Enum

from concurtrace.model.recording import ProcessKey
from concurtrace.model.spans import Frame


class LostIn(Enum):
    """Where an exception ended."""

    THREAD = "thread"
    """It ended a thread, and the target does not look at what ends its threads."""
    RESULT = "result"
    """It was kept for whoever asks for the result of a call, and nobody did."""


@dataclass(frozen=True)
class LostException:
    """Exceptions of one class from one place: ``lost`` of them, ``heard`` were asked for.

    ``who`` is the first thread that one ended, ``time_ns`` when the first was lost. ``frames`` lead
    to where it was raised, innermost first; ``text`` is its class and what it says.
    """

    how: LostIn
    process: ProcessKey
    time_ns: int
    who: str
    text: str
    frames: tuple[Frame, ...]
    lost: int = 1
    heard: int = 0
