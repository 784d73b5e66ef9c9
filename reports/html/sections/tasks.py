"""Tasks: how busy event loops were, what held them up, and what every task waited for."""

from collections.abc import Mapping
from dataclasses import dataclass

from concurtrace.model.report import Report
from concurtrace.model.task_report import (
    AwaitNode,
    AwaitPlace,
    BlockedStep,
    LoopReport,
    TaskKind,
    TasksReport,
)
from concurtrace.model.tasks import TaskState
from concurtrace.units import count_text, share_text, significant, time_text

from ..._places import Places
from ..._scale import Scale
from ..._states import WORDS
from ..._tasks import (
    AWAIT_WORDS,
    STATE_WORDS,
    answer,
    awaits_text,
    lag_text,
    loop_name,
    outcomes_text,
)
from ..._text import shorten
from ..._words import absence
from ..bars import HEIGHT
from ..chart import WIDTH, Path
from ..links import stretch
from ..section import Section
from ._lag import OverTime, over_time

_BLOCKED = 100
_NAME = 80
_LAG_HEIGHT = 60
_LOOPS_DRAWN = 8
_PATH = 10
_TOKENS = {
    TaskState.RUNNING: "running",
    TaskState.READY: "gil",
    TaskState.CREATED: "starting",
    TaskState.AWAITING: "io",
    TaskState.CANCELLING: "stopped",
}


@dataclass(frozen=True)
class Loop:
    """A row of the table of loops; ``keys`` are its numbers to sort by."""

    name: str
    pid: str
    lived: str
    busy: str
    busy_bar: int
    steps: str
    callbacks: str
    lag: tuple[str, str, str]
    ready: str
    round: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Lag:
    """How late the callbacks of one loop ran: a bar per power of two, in words below."""

    label: str
    path: Path
    words: str
    ticks: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A step that held a loop up."""

    start: str
    length: str
    asleep: str
    how: str
    what: str
    where: str
    late: str
    late_time: str
    link: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Bar:
    """How time divides among the states of a task: pieces of colour, and the same in words."""

    parts: tuple[tuple[str, Path], ...]
    words: str


@dataclass(frozen=True)
class Kind:
    """A row of the table of kinds of tasks."""

    name: str
    created_at: str
    count: str
    lived: str
    bar: Bar
    awaits: str
    outcomes: str
    steps: str
    longest: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """A node of the await tree."""

    name: str
    count: str
    bar: Bar
    waits_at: str
    children: tuple["Node", ...]


@dataclass(frozen=True)
class Await:
    """A row of the table of places where tasks waited."""

    where: str
    how: str
    kind: str
    count: str
    time: str
    bar: int
    longest: str
    ready: str
    peers: str
    keys: tuple[int, ...]


@dataclass(frozen=True)
class View:
    """Everything that the section shows."""

    unit: str
    loops: tuple[Loop, ...]
    lags: tuple[Lag, ...]
    over_time: OverTime | None
    blocked: tuple[Step, ...]
    blocked_unit: str
    kinds: tuple[Kind, ...]
    legend: tuple[tuple[str, str], ...]
    tree: tuple[Node, ...]
    awaits: tuple[Await, ...]
    await_unit: str
    faults: tuple[tuple[str, str, str, str], ...]
    path: tuple[tuple[str, str, str, str], ...]
    note: str


def build(report: Report) -> Section | None:
    """Show event loops and tasks; nothing where they were watched for and none ran."""
    tasks = report.tasks
    if tasks is None or not (tasks.loops or tasks.kinds):
        if any("tasks" in one.instruments for one in report.passes):
            return None
        return Section("tasks", "Tasks", absence=absence(report, "Event loops were", "tasks"))
    places = Places.of(report)
    scale = Scale.for_times(one.end_ns - one.start_ns for one in tasks.loops)
    steps = sorted(
        (step for loop in tasks.loops for step in loop.blocked), key=lambda one: -one.ns
    )[:_BLOCKED]
    step_scale = Scale.for_times(one.ns for one in steps)
    await_scale = Scale.for_times(one.ns for one in tasks.places)
    most = max((one.ns for one in tasks.places), default=0)
    view = View(
        unit=scale.unit,
        loops=tuple(_loop(one, scale) for one in tasks.loops),
        lags=tuple(_lag(one) for one in tasks.loops[:_LOOPS_DRAWN] if one.lag),
        over_time=over_time(report),
        blocked=tuple(_step(one, step_scale, places) for one in steps),
        blocked_unit=step_scale.unit,
        kinds=tuple(_kind(one, scale, places) for one in tasks.kinds),
        legend=tuple((_TOKENS[state], words) for state, words in STATE_WORDS.items()),
        tree=tuple(_node(one, places) for one in tasks.tree),
        awaits=tuple(_await(one, await_scale, places, most) for one in tasks.places if one.ns),
        await_unit=await_scale.unit,
        faults=tuple(
            (
                one.kind.value,
                shorten(one.text, _NAME),
                places.where(one.where) if one.where else "not known",
                count_text(one.count),
            )
            for one in tasks.faults
        ),
        path=tuple(
            (
                time_text(one.ns),
                one.what,
                shorten(one.coroutine, _NAME),
                places.where(one.where) if one.where else "",
            )
            for one in tasks.path[:_PATH]
        ),
        note=_note(tasks),
    )
    return Section("tasks", "Tasks", answer(tasks), view)


def _note(tasks: TasksReport) -> str:
    if tasks.steps == tasks.steps_kept:
        return ""
    folded = tasks.steps - tasks.steps_kept
    return f"{count_text(folded)} short callbacks and steps were kept as sums only."


def _loop(one: LoopReport, scale: Scale) -> Loop:
    lag = tuple(
        "not known" if ns is None else time_text(ns)
        for ns in (one.lag_p50_ns, one.lag_p99_ns, one.lag_max_ns)
    )
    return Loop(
        name=loop_name(one),
        pid=str(one.pid),
        lived=scale.text(one.end_ns - one.start_ns),
        busy=share_text(one.utilisation),
        busy_bar=round(100 * one.utilisation),
        steps=count_text(one.steps),
        callbacks=count_text(one.callbacks),
        lag=(lag[0], lag[1], lag[2]),
        ready=f"{significant(one.ready_mean)} / {count_text(one.ready_most)}",
        round=time_text(one.longest_iteration_ns),
        keys=(
            one.end_ns - one.start_ns,
            round(1e6 * one.utilisation),
            one.steps,
            one.callbacks,
            one.lag_p50_ns or 0,
            one.lag_p99_ns or 0,
            one.lag_max_ns or 0,
            one.longest_iteration_ns,
        ),
    )


def _lag(one: LoopReport) -> Lag:
    """Draw how many callbacks were late by how much, by powers of two."""
    octaves: dict[int, int] = {}
    for from_ns, count in one.lag:
        power = max(from_ns.bit_length() - 1, 8) if from_ns else 7
        octaves[power] = octaves.get(power, 0) + count
    low, high = min(octaves), max(octaves)
    width = WIDTH // (high - low + 1)
    most = max(octaves.values())
    drawn = []
    for power, count in sorted(octaves.items()):
        height = max(1, round(_LAG_HEIGHT * count / most))
        drawn.append(f"M{(power - low) * width} {_LAG_HEIGHT}v-{height}h{width - 4}v{height}z")
    marks = sorted({low, (low + high) // 2, high})
    ticks = tuple("under 256 ns" if power < 8 else time_text(1 << power) for power in marks)
    return Lag(loop_name(one), Path("".join(drawn)), lag_text(one), ticks)


def _step(one: BlockedStep, scale: Scale, places: Places) -> Step:
    how = "computing" if one.state is None else WORDS[one.state].name
    if one.call:
        how += f" ({shorten(one.call, _NAME)})"
    return Step(
        start=time_text(one.start_ns),
        length=scale.text(one.ns),
        asleep=share_text(one.off_core_ns / one.ns) if one.ns else "",
        how=how,
        what=" ".join(part for part in (one.coroutine, one.task and f"({one.task})") if part),
        where=places.where(one.where) if one.where else "not known",
        late=count_text(one.late),
        late_time=time_text(one.late_ns),
        link=stretch(one.start_ns, one.start_ns + one.ns),
        keys=(one.start_ns, one.ns, one.off_core_ns, one.late, one.late_ns),
    )


def _bar(states: Mapping[TaskState, int]) -> Bar:
    whole, before, parts, words = sum(states.values()), 0, [], []
    for state, name in STATE_WORDS.items():
        ns = states.get(state, 0)
        if not ns:
            continue
        left, right = (round(WIDTH * at / whole) for at in (before, before + ns))
        before += ns
        words.append(f"{name} {share_text(ns / whole)}")
        if right > left:
            parts.append((_TOKENS[state], Path(f"M{left} 0H{right}V{HEIGHT}H{left}Z")))
    return Bar(tuple(parts), ", ".join(words) or "no time")


def _kind(one: TaskKind, scale: Scale, places: Places) -> Kind:
    whole = sum(one.states.values())
    return Kind(
        name=shorten(one.coroutine, _NAME),
        created_at=places.where(one.created_at) if one.created_at else "not known",
        count=count_text(one.count),
        lived=scale.text(whole),
        bar=_bar(one.states),
        awaits=awaits_text(one.awaits) or "nothing",
        outcomes=outcomes_text(one.outcomes),
        steps=count_text(one.steps),
        longest=time_text(one.longest_step_ns),
        keys=(one.count, whole, one.steps, one.longest_step_ns),
    )


def _node(one: AwaitNode, places: Places) -> Node:
    return Node(
        name=shorten(one.coroutine, _NAME),
        count="" if one.count == 1 else f"{count_text(one.count)} tasks",
        bar=_bar(one.states),
        waits_at=places.where(one.waits_at) if one.waits_at else "",
        children=tuple(_node(child, places) for child in one.children),
    )


def _await(one: AwaitPlace, scale: Scale, places: Places, most: int) -> Await:
    return Await(
        where=places.where(one.where) if one.where else "not known",
        how=shorten(one.how, _NAME),
        kind=AWAIT_WORDS[one.kind],
        count=count_text(one.count),
        time=scale.text(one.ns),
        bar=round(100 * one.ns / most) if most else 0,
        longest=time_text(one.longest_ns),
        ready=time_text(one.ready_ns),
        peers=", ".join(one.peers),
        keys=(one.count, one.ns, one.longest_ns, one.ready_ns),
    )
