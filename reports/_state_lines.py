"""States, GIL and locks in a few lines of plain text."""

import textwrap

from concurtrace.model.report import LockReport, Report, StatesReport
from concurtrace.model.states import State
from concurtrace.units import count_text, share_text, time_text

from ._places import Places
from ._scale import Scale
from ._states import all_states, gil_absence, ordered, source_sentences, words_of
from ._text import printable, shorten, shorten_path
from ._threads import ThreadRow, left_out, thread_rows

_THREADS = 10
_COLUMNS = 5
_LOCKS = 3
_NAME = 28
_PLACE = 38
_WIDTH = 100
_MATTERS = 0.001
"""The share of the run from which on a wait for a lock is worth a line."""


def thread_table(report: Report) -> list[str]:
    """Tell how the life of each thread divides among the states that took most."""
    states = report.states
    rows = thread_rows(states, _THREADS) if states else ()
    sums = all_states(states) if states else {}
    if states is None or not rows or not sum(sums.values()):
        return []
    most = sorted(ordered(sums), key=lambda one: -one[1])[:_COLUMNS]
    columns = [state for state, _ in ordered(dict(most))]
    others = any(state not in columns for state, _ in ordered(sums))
    scale = Scale.for_times(row.lifetime_ns for row in rows)
    names = [words_of(state, gil=report.environment.gil).short for state in columns]
    heads = [f"life {scale.unit}", *names, *(["other"] if others else [])]
    lines = [f"{'thread':<{_NAME + 2}}" + "".join(f"{head:>10}" for head in heads)]
    lines.extend(_row(row, columns, scale, others=others) for row in rows)
    hidden = left_out(states, rows)
    if hidden:
        lines.append(f"and {count_text(hidden)} threads with shorter lives")
    for sentence in source_sentences(states):
        lines.extend(textwrap.wrap(sentence, _WIDTH))
    return lines


def _row(row: ThreadRow, columns: list[State], scale: Scale, *, others: bool) -> str:
    states = row.states
    whole = sum(states.values())
    told = [states.get(state, 0) for state in columns]
    cells = [share_text(ns / whole) if ns else "-" for ns in told] if whole else ["-"] * len(told)
    if others:
        rest = whole - sum(told)
        cells.append(share_text(rest / whole) if rest else "-")
    name = shorten(printable(_label(row)), _NAME)
    return f"{name:<{_NAME + 2}}{scale.text(row.lifetime_ns):>10}" + "".join(
        f"{cell:>10}" for cell in cells
    )


def _label(row: ThreadRow) -> str:
    """Name a thread; a process's only one by the process, which says more than MainThread."""
    return row.process if row.label == "MainThread" and "(" in row.process else row.label


def gil_line(report: Report) -> str | None:
    """Say in a sentence what the GIL cost; None where no states were recorded."""
    states = report.states
    if states is None or not any(one.threads for one in states.processes):
        return None
    if states.gil is None:
        return gil_absence(report)
    waited = all_states(states).get(State.GIL_WAIT, 0)
    held = f"held {share_text(states.gil.held)} of the run"
    if not waited:
        return f"{held}; no thread waited for it"
    return (
        f"{held}; threads that wanted to run waited {share_text(states.gil.contention)} of that"
        f" time for it, {time_text(waited)} together"
    )


def lock_line(report: Report) -> str | None:
    """Say in a sentence how long threads waited for locks; None without recorded states."""
    states = report.states
    if states is None or not any(one.threads for one in states.processes):
        return None
    waited = all_states(states).get(State.LOCK_WAIT, 0)
    return f"threads waited {time_text(waited)} for locks" if waited else "nobody waited for one"


def top_locks(states: StatesReport | None) -> list[LockReport]:
    """The locks that cost most waiting, if it matters."""
    if states is None:
        return []
    return [one for one in states.locks if one.wait_ns > _MATTERS * states.wall_ns][:_LOCKS]


def lock_table(report: Report) -> list[str]:
    """List the locks that were waited for longest."""
    shown = top_locks(report.states)
    if not shown:
        return []
    places = Places.of(report)
    scale = Scale.for_times(one.wait_ns for one in shown)
    lines = [f"Locks that threads waited for longest ({scale.unit}, waits of takings)"]
    for one in shown:
        waits = f"{count_text(one.contended)} of {count_text(one.acquisitions)}"
        at = places.where(one.waited_at[0].where) if one.waited_at else "place not known"
        name = shorten(printable(one.name), _NAME)
        lines.append(
            f"{scale.text(one.wait_ns):>10} {waits:>17}  {name:<{_NAME}} {shorten_path(at, _PLACE)}"
        )
    return lines
