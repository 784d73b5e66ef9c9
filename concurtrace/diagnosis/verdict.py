"""What the diagnosis comes to, in a sentence or two, with what it rests on."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from concurtrace.diagnosis import plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.recording import Loss
from concurtrace.model.report import Finding, Severity
from concurtrace.model.run import PassStatus
from concurtrace.model.trace import EndedBy, Origin, Process
from concurtrace.units import share_text, time_text

SECOND = 0.25
"""A second finding is told too if it costs a quarter of what the first does, or more."""
HINT = 0.01
"""Share of the run that something has to cost to be worth knowing where nothing is wrong."""
BUSY = 0.2
"""Share of all cores' time taken by others from which times are said to be rough."""

FOLDED = 0.1
"""Share of the threads' time in spans too short to be kept from which single waits are doubtful."""

_ABOUT_RECORDING = frozenset(
    ("lost-events", "high-overhead", "short-run", "unknown-time", "degraded-source")
)
_NO_CAUSE = _ABOUT_RECORDING | {"competing-load", "gil-holder-preempted"}


def verdict(case: Case, findings: Sequence[Finding]) -> str:
    """Sum findings up, and say what they rest on."""
    if case.recording.trace is None or not len(case.whole.spans):
        warned = [one for one in findings if one.severity is Severity.WARNING]
        return warned[0].summary if warned else _nothing_recorded(case)
    return " ".join((*_claims(case, findings), *_doubts(case, findings)))


def _nothing_recorded(case: Case) -> str:
    if any("states" in one.instruments for one in case.passes):
        return "Nothing tells what held this run back: the recording of wait states is empty."
    return "Nothing tells what held this run back: wait states were not recorded (--with states)."


def _claims(case: Case, findings: Sequence[Finding]) -> list[str]:
    heads = [one for one in findings if one.part_of is None]
    warnings = [one for one in heads if one.severity is Severity.WARNING]
    if not warnings:
        hints = [
            one for one in heads if one.severity is Severity.INFO and one.rule not in _NO_CAUSE
        ]
        hints = [one for one in hints if one.gain_ns >= HINT * case.wall_ns]
        hints.sort(key=lambda one: -one.gain_ns)
        said = ["Nothing was found that holds this run back."]
        return [*said, f"Worth knowing: {hints[0].summary}"] if hints else said
    first, *others = warnings
    said = [first.summary]
    said += [f"Also: {one.summary}" for one in others[:1] if one.gain_ns >= SECOND * first.gain_ns]
    advice = first.remedy.partition(". ")[0].rstrip(".")
    if advice:
        said.append(f"What to try: {advice}.")
    return [*said, *_foretold(case, first)]


def _foretold(case: Case, first: Finding) -> list[str]:
    """Say what the remedy of the first finding would bring, by replay."""
    found, wall_ns = first.prediction, _undisturbed_ns(case)
    if found is None or not wall_ns:
        return []
    if found.low <= 1:
        return [f"Replayed with that change ({found.what_if}), the run takes about as long."]
    times = f"{time_text(wall_ns / found.speedup)} instead of {time_text(wall_ns)}"
    return [f"Replayed with that change ({found.what_if}), the run takes {times}."]


def _undisturbed_ns(case: Case) -> int:
    """Return what the work takes without any instrument; as recorded where that is not known."""
    quiet = next((one.wall_ns for one in case.passes if one.name == "baseline"), 0)
    return quiet or case.wall_ns


def _doubts(case: Case, findings: Sequence[Finding]) -> list[str]:
    """Say what makes the claims less certain."""
    doubts = []
    recorded_by = case.recorded_by
    if case.trace.origin is Origin.ESTIMATED:
        doubts.append("the wait states are estimates by sampling")
    if recorded_by is not None and recorded_by.status is not PassStatus.OK:
        doubts.append("the run was cut short")
    failed = list(dict.fromkeys(f.rule for f in findings if f.severity is Severity.FAILED))
    if failed:
        more = f" and {plural(len(failed) - 1, 'other rule')}" if len(failed) > 1 else ""
        doubts.append(f"{failed[0]}{more} failed and may have missed something")
    killed = [one for one in case.whole.processes if _was_killed(one)]
    if killed:
        doubts.append(_ended_early(killed))
    if case.whole.losses:
        doubts.append(f"{_lost(case.whole.losses)}, and all this rests on the rest")
    if case.folded_share >= FOLDED:
        share = share_text(case.folded_share)
        doubts.append(f"{share} of the threads' time is known as sums only, without its order")
    if recorded_by is not None and (recorded_by.competing_load or 0.0) >= BUSY:
        taken = share_text(recorded_by.competing_load or 0.0)
        doubts.append(f"other programs took {taken} of all cores' time, so times are rough")
    if not doubts:
        return []
    *first, last = doubts
    return [f"Mind that {'; '.join(first)}{'; and ' if first else ''}{last}."]


def _was_killed(one: Process) -> bool:
    """Tell whether a child was ended from outside; SIGTERM is how a pool ends its own."""
    ended = one.ended_by is EndedBy.SIGNAL and one.signal != signal.SIGTERM
    return ended and one.parent is not None


def _ended_early(killed: Sequence[Process]) -> str:
    first = f"{killed[0].name} was ended by signal {killed[0].signal}"
    many = f"{len(killed)} processes were killed, such as {killed[0].name}"
    return f"{first if len(killed) == 1 else many}, and what it would have done is in no figure"


def _lost(losses: Sequence[Loss]) -> str:
    first = f"{losses[0].what} ({losses[0].reason})"
    if len(losses) == 1:
        return f"this was not recorded: {first}"
    return f"{len(losses)} parts were not recorded, such as {first}"
