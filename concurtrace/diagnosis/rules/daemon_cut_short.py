"""A daemon thread or process is cut off in the middle of its work, because the program ends.

Nobody waits for a daemon. That is right for one that only beats, polls or logs; what one computes
or writes is lost, with all that it had not yet flushed.
"""

from collections.abc import Iterable

from concurtrace.analysis.daemons import CutOff, cut_off
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity

NAMED = 3
"""Daemons that are named; of more only the number is told."""


def check(case: Case) -> Iterable[Answer]:
    """Look at what daemons did when their program ended, and whether its result was right."""
    run = case.execution
    if run is not None and not run.ended_by_itself:
        yield fine("The run did not end by itself.")
        return
    found = cut_off(case.whole)
    wrong = [one.name for one in case.passes if one.verified is False]
    busy = [one for one in found if one.at_work]
    told = found if wrong else busy
    if not told:
        yield fine("No daemon was cut off in the middle of work.", daemons=len(found))
        return
    names = ", ".join(_name(case, one) for one in told[:NAMED])
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    doing = "in the middle of work" if busy else "though the result was not yet right"
    yield Answer(
        Severity.WARNING,
        f"{plural(len(told), 'daemon')} ({names}{more}) ended with the program, {doing}.",
        "Daemons are not waited for: what they had not finished, written or flushed is lost.",
        "Tell them to stop and join them before the program ends, or make no daemons of workers"
        " whose work counts.",
        tuple(dict.fromkeys(place for one in told for place in _where(case, one)))[:NAMED],
        evidence={"cut_off": len(told), "at_work": len(busy), "daemons": len(found)},
        cause=Cause.CODE,
        thing="daemons",
    )


def _name(case: Case, one: CutOff) -> str:
    thread = case.whole.threads[one.row]
    return case.whole.processes[thread.process].name if one.of_process else thread.name


def _where(case: Case, one: CutOff) -> tuple[str, ...]:
    thread = case.whole.threads[one.row]
    stacks = case.whole.spans.stack[thread.first : thread.last]
    last = stacks[stacks != 0]
    place = case.places.of(int(last[-1])) if len(last) else None
    return (place,) if place is not None else case.sampled([one.row], 1)


RULE = Rule("daemon-cut-short", frozenset({Part.STATES, Part.EXACT}), check)
