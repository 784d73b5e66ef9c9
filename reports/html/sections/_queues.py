"""Queues that grew long: how many items were in them over time."""

from dataclasses import dataclass

from concurtrace.model.report import Report, StatesReport
from concurtrace.model.runtime import QueueLengths
from concurtrace.model.spans import Frame
from concurtrace.model.trace import Trace
from concurtrace.units import count_text

from ..._places import Places
from ..._text import printable
from ..._threads import process_name
from ..chart import Path, Span, area, thin
from ..naming import telling

_DRAWN = 8
_HEIGHT = 40


@dataclass(frozen=True)
class Queue:
    """A queue over time: the items in it, and how many were put in and taken out."""

    made_at: str
    process: str
    path: Path
    words: str


def queues_told(report: Report, trace: Trace, states: StatesReport) -> tuple[Queue, ...]:
    """Draw the longest queues, each on a scale of its own."""
    ranked = sorted((one for one in trace.queues if one.times_ns), key=lambda q: -max(q.lengths))
    return tuple(_queue(one, report, trace, states) for one in ranked[:_DRAWN])


def _made_at(frames: tuple[Frame, ...], places: Places) -> str:
    """Name the line that made a queue, without folders: there is little room."""
    if not frames:
        return "not known"
    frame = telling(frames, places)
    line = places.line(frame.function.file, frame.line).rpartition("/")[2]
    return printable(f"{frame.function.name}, {line}")


def _queue(one: QueueLengths, report: Report, trace: Trace, states: StatesReport) -> Queue:
    span = Span(trace.start_ns, max(trace.end_ns, trace.start_ns + 1))
    most = max(one.lengths)
    points = [(span.x(at), float(many)) for at, many in zip(one.times_ns, one.lengths, strict=True)]
    return Queue(
        _made_at(trace.stacks.frames(one.created_stack), Places.of(report)),
        process_name(states.processes[one.process]),
        area(thin(points), most, _HEIGHT),
        f"at most {count_text(most)}; {count_text(one.puts[-1])} put,"
        f" {count_text(one.gets[-1])} taken",
    )
