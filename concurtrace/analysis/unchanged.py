"""The replay of a run as it was: how far it is off is the error of every prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from concurtrace.analysis.program import program, rules_of
from concurtrace.analysis.replay import Does, Program, Rules, Step, Worker, replay
from concurtrace.analysis.window import middle
from concurtrace.model.trace import Origin, Trace

PART = 12_000
"""Spans of a run that is too large to be replayed: so many of its middle can be, twenty times."""
_ENDS = -1_000_000_000
"""Edges of the ends of threads in a part of a run count down from here."""


@dataclass(frozen=True)
class Replayed:
    """A run and its unchanged replay; ``error`` is by how much the replay takes longer.

    ``folded`` is the share of the threads' time that is known as sums only, ``part`` that of a run
    which was too large to be replayed whole: then all this is of a part in its middle.
    """

    program: Program
    rules: Rules
    wall_ns: int
    took_ns: float
    folded: float = 0.0
    part: float = 1.0

    @property
    def error(self) -> float:
        """How far the unchanged replay is from what was measured, as a share."""
        return self.took_ns / self.wall_ns - 1


def replay_unchanged(
    trace: Trace, cores: float, switch_interval_ns: int, taken: float | None = None
) -> Replayed | None:
    """Replay a run as it was, or its middle if it is too large; None where there is too little.

    ``taken`` is how many cores other programs had meanwhile, None if nobody knows.
    """
    if trace.origin is not Origin.RECORDED or not trace.wall_ns or not len(trace.spans):
        return None
    whole, made = trace, program(trace, cores)
    if made is None:
        trace = middle(trace, PART)
        made = program(trace, cores) if trace.wall_ns else None
        made = made and _until_all_are_done(made)
    if made is None:
        return None
    rules = rules_of(trace, cores, switch_interval_ns, taken)
    took = replay(made, rules)
    if not took:
        return None
    part = trace.wall_ns / whole.wall_ns
    return Replayed(made, rules, trace.wall_ns, took, folded_share(whole), part)


def _until_all_are_done(program: Program) -> Program:
    """Let a part of a run end when every thread has done its own; nobody in it waits for all."""
    if len(program.workers) == 1:
        return program
    workers = tuple(
        replace(one, steps=(*one.steps, Step(Does.SIGNAL, edge=_ENDS - place)))
        for place, one in enumerate(program.workers)
    )
    waits = tuple(Step(Does.WAIT, edge=_ENDS - place) for place in range(len(workers)))
    home = program.workers[program.last].process
    return Program((*workers, Worker(-1, home, waits)), len(workers))


def folded_share(trace: Trace) -> float:
    """Return the share of the threads' time in spans that were too short to be kept singly."""
    totals = [total for one in trace.threads for total in one.totals.values()]
    whole = sum(one.ns for one in totals)
    return sum(one.folded_ns for one in totals) / whole if whole else 0.0
