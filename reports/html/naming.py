"""Names of what the timeline shows: lanes, states, frames, and what was waited for."""

from concurtrace.model.report import Report
from concurtrace.model.spans import Frame
from concurtrace.model.states import REASONS
from concurtrace.model.tasks import NOBODY, TaskTrace
from concurtrace.model.trace import Trace, WaitObject

from .._places import Origin, Places
from .._text import printable, shorten
from .._threads import process_name, thread_name
from .lanes import Extra, LaneKind, Layout

_TEXT = 160

EXTRAS = {
    Extra.FOLDED: ("too short to tell apart", "unknown", "dots", "many spans, added up only"),
    Extra.GIL_HELD: ("GIL held", "running", "solid", "some thread held the GIL of the process"),
    Extra.GIL_FREE: ("GIL free", "free", "solid", "free, or held too briefly to be kept"),
    Extra.PROGRAM: ("a program without Python", "program", "lines", "it has no states"),
    Extra.CORE_BUSY: ("the target on a core", "nogil", "solid", "one of its threads was on it"),
    Extra.CORE_OTHER: (
        "core idle or others'",
        "free",
        "solid",
        "no thread of the target was on it",
    ),
    Extra.TASK_RUNNING: ("task running", "running", "solid", "the loop ran a step of it"),
    Extra.TASK_READY: ("task ready, loop busy", "gil", "slash", "it could go on, another ran"),
    Extra.TASK_CREATED: ("task made", "starting", "bars", "its first step was pending"),
    Extra.TASK_AWAITING: ("task awaiting", "io", "solid", "it waited for something"),
    Extra.TASK_CANCELLING: (
        "task cancelled, not ended",
        "stopped",
        "cross",
        "it was asked to end, and did not run",
    ),
    Extra.NOT_KNOWN: ("not recorded", "unknown", "dots", "nothing was recorded of it"),
}

_OF_THE_RUN = {
    LaneKind.PATH: ("The run", "critical path"),
    LaneKind.CORE: ("Cores", "core {}"),
}
"""Lanes that belong to no process: the head above them, and their names."""


def lane_names(report: Report, layout: Layout) -> list[tuple[str, str]]:
    """Name every lane: its process, and what it is."""
    states = report.states
    trace = report.recording.trace
    if states is None or trace is None:
        return []
    found = []
    for lane in layout.lanes:
        if lane.kind is LaneKind.TASK and report.recording.tasks is not None:
            found.append(("Tasks", _task_name(report.recording.tasks, lane.row)))
            continue
        if lane.kind in _OF_THE_RUN:
            group, name = _OF_THE_RUN[lane.kind]
            found.append((group, name.format(lane.row)))
            continue
        process = states.processes[lane.process]
        name = "GIL"
        if lane.kind is LaneKind.THREAD:
            first = trace.processes[lane.process].first
            name = thread_name(process.threads[lane.row - first])
        elif lane.kind is LaneKind.PROGRAM:
            name = "no Python"
        found.append((process_name(process), name))
    return found


def _task_name(tasks: TaskTrace, row: int) -> str:
    """Name a task: its coroutine, and its own name."""
    coroutine = tasks.stacks.functions[int(tasks.tasks.code[row])].name
    name = " ".join(part for part in (coroutine, tasks.names[row]) if part)
    return shorten(printable(name), _TEXT)


def step_name(tasks: TaskTrace, step: int) -> str:
    """Name a step of a loop: its task, or the function that was called back."""
    row = int(tasks.steps.task[step])
    if row != NOBODY:
        return _task_name(tasks, row) or "a task"
    frames = tasks.stacks.frames(int(tasks.steps.stack[step]))
    return shorten(printable(frames[0].function.name), _TEXT) if frames else "a callback"


def reason_word(code: int) -> str:
    """Tell the reason of a kind."""
    return REASONS[code].word


def frame_text(frame: Frame, places: Places) -> str:
    """Name a frame: its function, and where it is."""
    name = shorten(printable(frame.function.name), _TEXT)
    return f"{name} ({places.line(frame.function.file, frame.line)})"


def telling(frames: tuple[Frame, ...], places: Places) -> Frame:
    """Choose the frame that says most: the innermost of the target's own code, if any."""
    own = (one for one in frames if places.origin(one.function) is Origin.OWN)
    return next(own, frames[0])


def object_text(trace: Trace, one: WaitObject, places: Places) -> str:
    """Name what was waited for, by its text or by where it was made."""
    kind = one.kind.value
    # The kernel names pipes and the like by their kind: "pipe:[4711]".
    own = places.sentence(one.text)
    text = own if own.startswith(kind) else f"{kind} {own}".rstrip()
    made = trace.stacks.frames(one.created_stack)
    if made:
        text += f", made in {frame_text(telling(made, places), places)}"
    return shorten(printable(text), 2 * _TEXT)


def lane_text(names: list[tuple[str, str]], lane: int) -> str:
    """Name a lane, with its process where there are several."""
    group, name = names[lane]
    others = {"Tasks", *(one for one, _ in _OF_THE_RUN.values())}
    alone = len({one for one, _ in names} - others) == 1
    return name if alone else f"{name} in {group}"
