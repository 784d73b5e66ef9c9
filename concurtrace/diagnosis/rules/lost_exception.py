"""Something failed in a thread or in a pool, and nobody was told.

An exception ends its thread alone: ``join`` returns as if the work were done. One in a pool's call
is kept for whoever asks for the result; if nobody does, it is gone without a trace.
"""

from collections.abc import Iterable

from concurtrace.analysis.places import own_frame, where
from concurtrace.diagnosis import Answer, Cause, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.lost import LostException, LostIn
from concurtrace.model.report import Severity
from concurtrace.model.trace import EndedBy, Process

TOLD = 5
"""Exceptions told one by one: of more kinds the commonest say enough."""


def check(case: Case) -> Iterable[Answer]:
    """Tell exceptions that nobody asked for, those that came most often first."""
    found = sorted(case.recording.lost or (), key=lambda one: (-one.lost, one.time_ns))
    for one in found[:TOLD]:
        frame = own_frame(one.frames)
        place = where(frame) if frame is not None else ""
        at_ns = max(one.time_ns - case.whole.start_ns, 0)
        function = frame.function.name if frame is not None else "A call"
        in_thread = one.how is LostIn.THREAD
        yield Answer(
            _severity(case, one),
            f"{one.text} ended the thread {one.who}, and the program went on without it."
            if in_thread
            else f"{function} failed in a pool with {one.text}, and nobody asked for the result.",
            f"It happened {plural(one.lost, 'time')}" + _heard(one),
            "Let whoever needs the work learn of it: give it to an executor and ask each Future for"
            " its result(), or catch the exception in the thread and hand it on."
            if in_thread
            else "Keep every Future or AsyncResult and ask for its result() or get(), or give a"
            " callback that looks at the exception; iterate over all that map returns.",
            (place,) if place else (),
            (at_ns, at_ns),
            {"count": one.lost, "asked_for": one.heard, "exception": one.text},
            cause=Cause.CODE,
            thing=place or one.text,
        )
    if not found:
        yield fine("No exception of a thread or of a pool was lost.")


def _severity(case: Case, one: LostException) -> Severity:
    """Warn, unless somebody learned of it all the same: from another such, or from how it ended."""
    ended = next((p for p in case.whole.processes if p.pid == one.process.pid), None)
    aloud = one.how is LostIn.RESULT and (one.heard > 0 or (ended is not None and _failed(ended)))
    return Severity.INFO if aloud else Severity.WARNING


def _failed(process: Process) -> bool:
    return process.ended_by is EndedBy.SIGNAL or process.exit_code not in (0, None)


def _heard(one: LostException) -> str:
    if one.how is LostIn.THREAD:
        return "; only the standard error output was told."
    if one.heard:
        return f"; {plural(one.heard, 'other')} like it {'was' if one.heard == 1 else 'were'} seen."
    return "."


RULE = Rule("lost-exception", frozenset({Part.STATES}), check)
