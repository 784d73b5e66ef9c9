"""Processes: who started whom, how long each took to come up, and what talking with them cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from statistics import median

from concurtrace.model.masking import mask_arguments
from concurtrace.model.process_report import Phases, ProcessCost
from concurtrace.model.report import ProcessReport, Report, StatesReport
from concurtrace.model.runtime import Generation
from concurtrace.model.spans import Times
from concurtrace.model.trace import Trace
from concurtrace.units import count_text, time_text

from ..._scale import Scale
from ..._states import Words
from ..._text import shorten, without_home
from ..._threads import process_name
from ..._words import absence
from ..bars import HEIGHT, Part, part, swatch
from ..chart import Span
from ..lanes import lane_numbers
from ..links import stretch
from ..section import Section
from ._exchanges import Wait, waits_told
from ._messages import Counted, counted, large_messages
from ._queues import Queue, queues_told

_DRAWN = 60
"""How many processes are drawn."""
_LISTED = 60
"""How many have a row: each of hundreds that are alike tells nothing more."""
_DEEPEST = 6
"""Levels of descent that are told apart by how far a name is moved in."""
_COMMAND = 120

MADE = Words("being made", "made", "starting", "bars")
INTERPRETER = Words("its interpreter starting", "interpreter", "interpreter", "dots")
LOADING = Words("its modules and arguments being loaded", "loading", "imports", "slash")
ALIVE = Words("at its work, or waiting", "work", "running")
UNTOLD = Words("alive; when its work began is not known", "alive", "program", "lines")
_PHASES = (MADE, INTERPRETER, LOADING, ALIVE, UNTOLD)


@dataclass(frozen=True)
class Row:
    """A process as texts: its place in the tree, its bar, and how it came up and ended."""

    label: str
    depth: int
    parts: tuple[Part, ...]
    words: str
    started_by: str
    parent: str
    asked: str
    made: str
    interpreter: str
    imports: str
    start: str
    lived: str
    ended_by: str
    threads: str
    cpu: str
    sending: str
    receiving: str
    importing: str
    collecting: str
    command: str
    link: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class View:
    """The processes in the order of their tree, drawn on one time scale, and what they exchanged.

    ``messages`` are what the pass of functions counted, ``unlisted`` how many more processes
    passed some; ``advice`` is the command that counts them, "" where they were.
    """

    rows: tuple[Row, ...]
    drawn: tuple[Row, ...]
    legend: tuple[tuple[Part, str], ...]
    ticks: tuple[str, ...]
    unit: str
    samples: str
    note: str
    waits: tuple[Wait, ...]
    wait_unit: str
    queues: tuple[Queue, ...]
    large: tuple[str, ...]
    messages: tuple[Counted, ...]
    unlisted: int
    advice: str
    pass_name: str


def build(report: Report) -> Section:
    """Show the processes."""
    trace, states = report.recording.trace, report.states
    if trace is None or states is None or not states.processes:
        missing = absence(report, "How processes came up was", "states")
        return Section("processes", "Processes", absence=missing)
    order = list(_tree(states.costs.costs))
    several = len(order) > 1
    scale = Scale.for_times(_phase_times(cost.phases) for cost, _ in order)
    made = _Rows(report, trace, states, scale, lane_numbers(trace))
    rows = tuple(made.row(cost, depth) for cost, depth in order[:_LISTED])
    waits, wait_unit = waits_told(report, trace, states)
    messages = counted(report) if several else ()
    view = View(
        rows=rows,
        drawn=rows[:_DRAWN] if several else (),
        legend=tuple((swatch(words), words.name) for words in _used(order)),
        ticks=Span(trace.start_ns, max(trace.end_ns, trace.start_ns + 1)).ticks(),
        unit=scale.unit,
        samples=count_text(states.costs.samples)
        if any(cost.messages is not None for cost, _ in order)
        else "",
        note=_note(len(order)),
        waits=waits,
        wait_unit=wait_unit,
        queues=queues_told(report, trace, states),
        large=large_messages(report, trace, states),
        messages=messages[:_LISTED],
        unlisted=max(0, len(messages) - _LISTED),
        advice=absence(report, "", "functions").command if several and not messages else "",
        pass_name=states.pass_name,
    )
    return Section("processes", "Processes", _answer(states, trace), view)


def _tree(costs: tuple[ProcessCost, ...]) -> Iterator[tuple[ProcessCost, int]]:
    """Walk from every process to those that it started, with how deep each is."""
    children: dict[int | None, list[ProcessCost]] = {}
    for cost in costs:
        children.setdefault(cost.parent, []).append(cost)
    todo = [(cost, 0) for cost in reversed(children.get(None, []))]
    while todo:
        cost, depth = todo.pop()
        yield cost, depth
        todo.extend((child, depth + 1) for child in reversed(children.get(cost.row, [])))


def _phase_times(phases: Phases) -> int:
    return phases.start_ns or phases.end_ns - phases.asked_ns


def _pieces(phases: Phases) -> Iterator[tuple[Words, int, int]]:
    """Cut a life into its phases; what is not known apart is one piece."""
    at = phases.asked_ns
    ends = (
        (MADE, phases.first_ns),
        (INTERPRETER, phases.python_ns),
        (LOADING, phases.work_ns),
        (UNTOLD if phases.work_ns is None else ALIVE, phases.end_ns),
    )
    for words, end in ends:
        if end is not None and end > at:
            yield words, at, end
            at = end


def _used(order: list[tuple[ProcessCost, int]]) -> list[Words]:
    seen = {words.name for cost, _ in order for words, _, _ in _pieces(cost.phases)}
    return [words for words in _PHASES if words.name in seen]


def _note(many: int) -> str:
    said = []
    if many > _DRAWN:
        said.append(f"The first {_DRAWN} of {count_text(many)} processes are drawn.")
    if many > _LISTED:
        said.append(f"The table has the first {_LISTED}.")
    return " ".join(said)


def _answer(states: StatesReport, trace: Trace) -> str:
    children = [one for one in states.costs.costs if one.parent is not None]
    if not children:
        return "The target was one process: it started none."
    methods = ", ".join(sorted({trace.processes[one.row].started_by for one in children}))
    noun = "process was" if len(children) == 1 else "processes were"
    said = f"{count_text(len(children))} {noun} started ({methods})."
    starts = [ns for one in children if (ns := one.phases.start_ns) is not None]
    if len(starts) == 1:
        said += f" It took {time_text(starts[0])} until its work began."
    elif starts:
        said += (
            f" Half of them were at work within {time_text(round(median(starts)))},"
            f" the slowest after {time_text(max(starts))}."
        )
    costs = [one.messages for one in states.costs.costs if one.messages is not None]
    passing = sum(one.sending_ns + one.receiving_ns for one in costs)
    if passing:
        said += f" Passing messages took about {time_text(passing)} on cores."
    waiting = [one for one in states.costs.exchanges if one.object]
    if waiting and passing * 100 < waiting[0].ns:
        whole = sum(one.ns for one in waiting)
        said += f" Processes waited {time_text(whole)} for each other at queues, pipes and locks."
    return said


@dataclass(frozen=True)
class _Rows:
    """What every row is made with."""

    report: Report
    trace: Trace
    states: StatesReport
    scale: Scale
    lanes: Times

    def row(self, cost: ProcessCost, depth: int) -> Row:
        """Tell a process."""
        process, phases = self.states.processes[cost.row], cost.phases
        parents = self.states.processes
        steps = _steps(phases)
        spent = cost.messages
        sums = (spent.sending_ns, spent.receiving_ns, spent.importing_ns) if spent else (None,) * 3
        told = [self._time(ns) for ns in (*steps, phases.start_ns, *sums)]
        collecting, collecting_ns = self._collecting(cost)
        return Row(
            label=process_name(process),
            depth=min(depth, _DEEPEST),
            parts=self._parts(phases),
            words=_words(phases, process),
            started_by=process.started_by,
            parent="nobody here" if cost.parent is None else process_name(parents[cost.parent]),
            asked=time_text(phases.asked_ns) if phases.asked_ns else "0",
            made=told[0],
            interpreter=told[1],
            imports=told[2],
            start=told[3],
            lived=time_text(phases.end_ns - phases.asked_ns),
            ended_by=_ended(process),
            threads=count_text(len(process.threads)) if process.threads else "no Python",
            cpu="not known" if process.cpu_ns is None else time_text(process.cpu_ns),
            sending=told[4],
            receiving=told[5],
            importing=told[6],
            collecting=collecting,
            command=self._command(cost, process),
            link=stretch(phases.asked_ns, phases.end_ns, self._lane(cost.row), phases.first_ns),
            keys=(
                phases.asked_ns,
                *(ns or 0 for ns in (*steps, phases.start_ns)),
                phases.end_ns - phases.asked_ns,
                *(ns or 0 for ns in sums),
                process.cpu_ns or 0,
                collecting_ns,
            ),
        )

    def _time(self, ns: int | None) -> str:
        if ns is None:
            return "not known"
        return self.scale.text(ns) if ns else "0"

    def _command(self, cost: ProcessCost, process: ProcessReport) -> str:
        parents = self.states.processes
        if cost.parent is not None and process.command == parents[cost.parent].command:
            return "that of its parent"
        program, *arguments = mask_arguments(process.command) or ("not known",)
        return shorten(without_home(" ".join((PurePath(program).name, *arguments))), _COMMAND)

    def _collecting(self, cost: ProcessCost) -> tuple[str, int]:
        """Tell how often garbage was collected, and for how long."""
        found = self.trace.processes[cost.row].collections
        if found is None:
            return "not known", 0
        whole = sum(found, Generation())
        if not whole.count:
            return "0", 0
        runs = "one run" if whole.count == 1 else f"{count_text(whole.count)} runs"
        return f"{self.scale.text(whole.ns)} in {runs}", whole.ns

    def _parts(self, phases: Phases) -> tuple[Part, ...]:
        whole = Span(0, max(1, self.trace.wall_ns))
        places = ((words, whole.x(a), whole.x(b)) for words, a, b in _pieces(phases))
        return tuple(
            part(words, left, right, HEIGHT) for words, left, right in places if right > left
        )

    def _lane(self, row: int) -> int | None:
        process = self.trace.processes[row]
        if process.first == process.last:
            return None
        return int(self.lanes[process.first])


def _steps(phases: Phases) -> tuple[int | None, int | None, int | None]:
    """Tell how long it took to the first instruction, to the interpreter, and to the work."""
    times = (phases.asked_ns, phases.first_ns, phases.python_ns, phases.work_ns)
    first, second, third = (
        None if before is None or after is None else after - before
        for before, after in pairwise(times)
    )
    return first, second, third


def _words(phases: Phases, process: ProcessReport) -> str:
    pieces = [f"{words.name} {time_text(b - a)}" for words, a, b in _pieces(phases)]
    return f"from {time_text(phases.asked_ns)} on: {', '.join(pieces)}; ended by {_ended(process)}"


def _ended(one: ProcessReport) -> str:
    return f"exit {one.exit_code}" if one.ended_by == "exit" and one.exit_code else one.ended_by
