"""The replay of a run as it was: how far it is off is the error of every prediction."""

from __future__ import annotations

from dataclasses import dataclass

from concurtrace.analysis.program import program, rules_of
from concurtrace.analysis.replay import Program, Rules, replay
from concurtrace.model.trace import Origin, Trace


@dataclass(frozen=True)
class Replayed:
    """A run and its unchanged replay; ``error`` is by how much the replay takes longer.

    ``folded`` is the share of the threads' time that is known as sums only.
    """

    program: Program
    rules: Rules
    wall_ns: int
    took_ns: float
    folded: float = 0.0

    @property
    def error(self) -> float:
        """How far the unchanged replay is from what was measured, as a share."""
        return self.took_ns / self.wall_ns - 1


def replay_unchanged(
    trace: Trace, cores: float, switch_interval_ns: int, taken: float | None = None
) -> Replayed | None:
    """Replay a run as it was; None where there is too little, or too much, to replay.

    ``taken`` is how many cores other programs had meanwhile, None if nobody knows.
    """
    if trace.origin is not Origin.RECORDED or not trace.wall_ns:
        return None
    made = program(trace, cores)
    if made is None:
        return None
    rules = rules_of(trace, cores, switch_interval_ns, taken)
    took = replay(made, rules)
    return None if not took else Replayed(made, rules, trace.wall_ns, took, folded_share(trace))


def folded_share(trace: Trace) -> float:
    """Return the share of the threads' time in spans that were too short to be kept singly."""
    totals = [total for one in trace.threads for total in one.totals.values()]
    whole = sum(one.ns for one in totals)
    return sum(one.folded_ns for one in totals) / whole if whole else 0.0
