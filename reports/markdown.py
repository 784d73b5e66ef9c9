"""A short summary in Markdown, for the job page of a CI server or a pull request."""

import re

from concurtrace.model.report import Report
from concurtrace.model.run import Pass
from concurtrace.units import count_text, significant, time_text

from ._facts import facts
from ._places import Places, name_of
from ._text import printable, shorten, without_home
from ._words import Tone, notes, verdict

_SHOWN = 5
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
    return f"| {_text(one.name)} | {wall} | {cost} | {_text(without_home(status))} |"


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
