"""The replay of a run as it was: how far it is off is the error of every prediction."""

from __future__ import annotations

from dataclasses import dataclass

from concurtrace.analysis.program import program, rules_of
from concurtrace.analysis.replay import Program, Rules, replay
from concurtrace.model.trace import Origin, Trace


@dataclass(frozen=True)
class Replayed:
    """A run and its unchanged replay; ``error`` is by how much the replay takes longer."""

    program: Program
    rules: Rules
    wall_ns: int
    took_ns: float

    @property
    def error(self) -> float:
        """How far the unchanged replay is from what was measured, as a share."""
        return self.took_ns / self.wall_ns - 1


def replay_unchanged(trace: Trace, cores: float, switch_interval_ns: int) -> Replayed | None:
    """Replay a run as it was; None where there is too little, or too much, to replay."""
    if trace.origin is not Origin.RECORDED or not trace.wall_ns:
        return None
    made = program(trace, cores)
    if made is None:
        return None
    rules = rules_of(trace, cores, switch_interval_ns)
    took = replay(made, rules)
    return None if not took else Replayed(made, rules, trace.wall_ns, took)
