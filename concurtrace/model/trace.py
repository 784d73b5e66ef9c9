"""The decoded wait-state trace: who did what when, as columns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trace:
    """The wait states of every thread of every process."""
