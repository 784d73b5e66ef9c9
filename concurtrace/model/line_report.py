"""What threads did at which line."""

from collections.abc import Mapping
from dataclasses import dataclass

from concurtrace.model.states import State


@dataclass(frozen=True)
class LineStates:
    """A line of the target's own code: time of threads that stood there or in what it called.

    ``ran_ns`` is time on a core, from samples; ``waits`` hold the waits that were kept singly, by
    state, those of pool workers without work left out.
    """

    file: str
    line: int
    function: str
    ran_ns: int
    waits: Mapping[State, int]

    @property
    def ns(self) -> int:
        """All of its time."""
        return self.ran_ns + sum(self.waits.values())
