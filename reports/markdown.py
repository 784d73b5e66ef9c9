"""A short summary in Markdown, for the job page of a CI server or a pull request."""

import re

from concurtrace.model.report import LockReport, Report
from concurtrace.model.run import Pass
from concurtrace.units import count_text, significant, time_text

from ._facts import facts
from ._places import Places, name_of
from ._state_lines import gil_line, top_locks
from ._states import shares_text, source_sentences
from ._text import printable, shorten, told
from ._threads import thread_rows
from ._words import Tone, notes, verdict

_SHOWN = 5
_STATES = 3
_NAME = 80
_SIGNS = {Tone.RIGHT: "✔", Tone.ATTENTION: "▲", Tone.WRONG: "✖"}
# Everything that Markdown or the HTML inside it would act on.
_ACTIVE = re.compile(r"[\\`*_\[\]#|<>~&@]")


class Markdown:
    """GitHub's Markdown: the outcome, the figures, the passes and the hottest functions."""

    name = "markdown"
    suffix = ".md"

    def render(self, report: Report) -> str:
        """Sum a run up on less than a page."""
        said = verdict(report)
        blocks = [f"**{_SIGNS[said.tone]} {_text(said.text)}**", _figures(report), _passes(report)]
        blocks.extend(_states(report))
        if report.hot.functions:
            blocks.append(_functions(report))
        said_of_numbers = notes(report)[:_SHOWN]
        if said_of_numbers:
            blocks.append("\n".join(f"- {_text(n.sentence)}" for n in said_of_numbers))
        return "\n\n".join(blocks) + "\n"


def _figures(report: Report) -> str:
    rows = [f"| {one.name} | {_text(one.value)} | {_text(one.meaning)} |" for one in facts(report)]
    return "\n".join(("| figure | value | from |", "|---|---|---|", *rows))


def _passes(report: Report) -> str:
    head = ("| pass | wall | against baseline | status |", "|---|--:|--:|---|")
    return "\n".join((*head, *map(_pass, report.passes)))


def _pass(one: Pass) -> str:
    ended = any(run.ended_by_itself for run in one.executions)
    wall = time_text(one.wall_ns) if ended else "not measured"
    cost = f"x {significant(one.overhead)}" if one.overhead is not None else "-"
    status = f"{one.status}: {one.reason}" if one.reason else str(one.status)
    return f"| {_text(one.name)} | {wall} | {cost} | {_text(told(status))} |"


def _states(report: Report) -> list[str]:
    """Tell how the lives of the threads divide, what the GIL cost, and the worst locks."""
    states = report.states
    rows = thread_rows(states, _SHOWN) if states else ()
    if states is None or not rows:
        return []
    gil = report.environment.gil
    table = ["| threads | lived | states |", "|---|--:|---|"]
    table.extend(
        f"| {_text(row.label)} | {time_text(row.lifetime_ns)} "
        f"| {shares_text(row.states, gil=gil, most=_STATES) or 'too short for a state'} |"
        for row in rows
    )
    said = [f"GIL: {gil_line(report)}.", *(_lock(one) for one in top_locks(states))]
    listed = [*said, *source_sentences(states)]
    return ["\n".join(table), "\n".join(f"- {one}" for one in listed)]


def _lock(one: LockReport) -> str:
    waits = "one wait" if one.contended == 1 else f"{count_text(one.contended)} waits"
    return f"{_text(one.name)}: threads waited {time_text(one.wait_ns)} in {waits}."


def _functions(report: Report) -> str:
    places = Places.of(report)
    head = ("| hottest functions | own time | calls |", "|---|--:|--:|")
    rows = [
        f"| {_text(name_of(one.function))} ({_text(places.function(one.function))})"
        f" | {time_text(one.own_ns)} | {count_text(one.calls)} |"
        for one in report.hot.functions[:_SHOWN]
    ]
    return "\n".join((*head, *rows))


def _text(text: str) -> str:
    """Escape a text, so that it stands in a cell as it is and mentions nobody."""
    return _ACTIVE.sub(r"\\\g<0>", shorten(printable(text), _NAME * 4))


RENDERER = Markdown()
