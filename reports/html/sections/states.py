"""States: what every thread did with its life, as one bar each and as a table."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from concurtrace.model.report import Report, StatesReport, ThreadReport
from concurtrace.model.states import State
from concurtrace.units import count_text, share_text, significant, time_text

from ..._scale import Scale
from ..._states import WORDS, all_states, folded_sentence, shares_text, source_sentences, words_of
from ..._threads import ThreadRow, left_out, thread_rows
from ..._words import absence
from ..bars import Part, stack, swatch
from ..section import Section
from ._thread_links import link_of, thread_links

SHOWN = 60
"""How many threads are told one by one; more are told together by name."""
_IDLE_MATTERS = 0.01


@dataclass(frozen=True)
class Bar:
    """A thread: its bar, and the same in words; ``keys`` are its cells' numbers to sort by.

    ``link`` shows it in the timeline, "" where the bar is of several threads.
    """

    label: str
    process: str
    link: str
    parts: tuple[Part, ...]
    words: str
    lifetime: str
    lifetime_cell: str
    cpu: str
    cells: tuple[tuple[str, str], ...]
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """The threads of one process, or of processes that are told together."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Entry:
    """A state in the legend: what it looks like, its name, what it means, its share of all."""

    swatch: Part
    name: str
    meaning: str
    share: str


@dataclass(frozen=True)
class View:
    """The bars by process, their legend and table."""

    whole: Bar
    groups: tuple[Group, ...]
    legend: tuple[Entry, ...]
    columns: tuple[str, ...]
    unit: str
    doubts: tuple[str, ...]
    note: str
    pass_name: str
    disturbed: str


def whole_bar(report: Report) -> Bar | None:
    """Make the bar of all threads together; None where no states were recorded."""
    states = report.states
    if states is None or not any(one.threads for one in states.processes):
        return None
    row = ThreadRow("", "all", _members(states), ())
    scale = Scale.for_times([row.lifetime_ns])
    return _bar(row, _columns(all_states(states)), scale, "", gil=report.environment.gil)


def bars(report: Report) -> tuple[Bar, ...]:
    """Make the bar of every thread that is told."""
    states = report.states
    rows = thread_rows(states, SHOWN) if states is not None else ()
    scale = Scale.for_times(row.lifetime_ns for row in rows)
    shown = _columns(all_states(states)) if states is not None else []
    links = thread_links(report)
    return tuple(
        _bar(row, shown, scale, link_of(row, links), gil=report.environment.gil) for row in rows
    )


def build(report: Report) -> Section:
    """Show the states."""
    states = report.states
    if states is None or not any(one.threads for one in states.processes):
        return Section("states", "States", absence=absence(report, "Wait states were", "states"))
    gil = report.environment.gil
    rows = thread_rows(states, SHOWN)
    sums = all_states(states)
    whole = ThreadRow("", "all", _members(states), ())
    shown = _columns(sums)
    scale = Scale.for_times(row.lifetime_ns for row in rows)
    links = thread_links(report)
    bars = {
        id(row): _bar(row, shown, scale, link_of(row, links), gil=gil) for row in (whole, *rows)
    }
    hidden = left_out(states, rows)
    view = View(
        whole=bars[id(whole)],
        groups=tuple(
            Group(title, tuple(bars[id(row)] for row in mine))
            for title, mine in groupby(rows, key=lambda row: row.process)
        ),
        legend=_legend(sums, gil=gil),
        columns=tuple(words_of(state, gil=gil).name for state in shown),
        unit=scale.unit,
        doubts=source_sentences(states),
        note=_note(states, rows, hidden),
        pass_name=states.pass_name,
        disturbed=_disturbed(report, states),
    )
    return Section("states", "States", _answer(states, sums, gil=gil), view)


def _members(states: StatesReport) -> tuple[ThreadReport, ...]:
    return tuple(one for process in states.processes for one in process.threads)


def _answer(states: StatesReport, sums: dict[State, int], *, gil: bool) -> str:
    members = _members(states)
    whole = sum(sums.values())
    if not whole:
        return "No thread lived long enough for a state."
    threads = "the one thread" if len(members) == 1 else f"{count_text(len(members))} threads"
    with_threads = sum(bool(one.threads) for one in states.processes)
    where = f" in {with_threads} processes" if with_threads > 1 else ""
    told = shares_text(sums, gil=gil, most=3)
    answer = f"Of the {time_text(whole)} that {threads}{where} lived together: {told}."
    idle = sum(one.idle_ns for one in members)
    if idle > _IDLE_MATTERS * whole:
        answer += (
            f" {share_text(idle / whole)} of it is the expected waiting of pool workers without"
            " work."
        )
    return answer


def _columns(sums: dict[State, int]) -> list[State]:
    """The states that occurred, and the residual in any case: that it is 0 says something."""
    return [state for state in WORDS if sums.get(state) or state is State.UNKNOWN]


def _bar(row: ThreadRow, shown: list[State], scale: Scale, link: str, *, gil: bool) -> Bar:
    states, lifetime = row.states, row.lifetime_ns
    whole = sum(states.values())
    cpu = row.cpu_ns
    words = shares_text(states, gil=gil) if whole else "too short for a state"
    if row.idle_ns > _IDLE_MATTERS * whole:
        words += f" ({share_text(row.idle_ns / whole)} of it a pool worker without work)"
    return Bar(
        label=row.label,
        process=row.process,
        link=link,
        parts=stack(states, gil=gil),
        words=words,
        lifetime=time_text(lifetime),
        lifetime_cell=scale.text(lifetime),
        cpu="not known" if cpu is None else scale.text(cpu),
        cells=tuple(_cell(states.get(state, 0), whole, scale) for state in shown),
        keys=(lifetime, cpu or 0, *(states.get(state, 0) for state in shown)),
    )


def _cell(ns: int, whole: int, scale: Scale) -> tuple[str, str]:
    return (scale.text(ns), share_text(ns / whole)) if ns else ("0", "0 %")


def _legend(sums: dict[State, int], *, gil: bool) -> tuple[Entry, ...]:
    whole = sum(sums.values()) or 1
    return tuple(
        Entry(
            swatch(words_of(state, gil=gil)),
            words_of(state, gil=gil).name,
            state.value if gil or state is not State.RUNNING_NOGIL else "on a core",
            share_text(sums.get(state, 0) / whole),
        )
        for state in _columns(sums)
    )


def _note(states: StatesReport, rows: Iterable[ThreadRow], hidden: int) -> str:
    folded = folded_sentence(states)
    said = [folded] if folded else []
    if any(len(row.members) > 1 for row in rows):
        said.append(
            "Threads whose names differ in numbers alone are told together: N stands for the"
            " number."
        )
    if hidden:
        said.append(f"{count_text(hidden)} threads with the shortest lives are not listed.")
    return " ".join(said)


def _disturbed(report: Report, states: StatesReport) -> str:
    """Say what the recording itself cost, where that was measured."""
    found = report.find_pass(states.pass_name)
    if found is None or found.overhead is None:
        return "What the recording itself cost was not measured: there is no baseline to compare."
    return (
        f"The pass {states.pass_name} took {significant(found.overhead)} times the wall time of"
        " the undisturbed baseline."
    )
