"""Findings: what holds the run back, the proof, and what to do."""

from dataclasses import dataclass

from concurtrace.model.report import Finding, Report
from concurtrace.units import time_text

from ..._findings import SIGNS, Story, evidence, others, prediction, stories
from ..._places import Places
from ..._words import absence
from ..section import Section
from . import source

_PROOFS = (
    ("gil", "gil", "the GIL's waits by thread"),
    ("deadlock", "blocking", "who waited for whom"),
    ("lock-order", "blocking", "the order of locks"),
    ("head-of-line", "waiting", "where threads waited"),
    ("block", "tasks", "what held loops up"),
    ("loop", "tasks", "the event loops over time"),
    ("coroutine", "tasks", "the tasks"),
    ("task", "tasks", "the tasks"),
    ("await", "tasks", "where tasks waited"),
    ("self-wake", "tasks", "the tasks"),
    ("spawn", "processes", "how processes came up"),
    ("import", "processes", "how processes came up"),
    ("gc-", "processes", "what processes cost"),
    ("ipc", "processes", "what processes cost"),
    ("payload", "processes", "what processes cost"),
    ("parent", "processes", "who waited at which pipe"),
    ("queue-growth", "processes", "the queues over time"),
    ("starvation", "blocking", "who waited for whom"),
    ("herd", "blocking", "who waited for whom"),
    ("inversion", "blocking", "who waited for whom"),
    ("parallel", "parallelism", "how many threads were at work at once"),
    ("imbalance", "parallelism", "how many threads were at work at once"),
    ("serial", "parallelism", "how many threads were at work at once"),
    ("gather", "tasks", "the tasks"),
    ("straggler", "parallelism", "how many threads were at work at once"),
    ("granularity", "parallelism", "how many threads were at work at once"),
    ("lock", "locks", "the locks"),
    ("contention", "locks", "the locks"),
    ("critical-section", "locks", "the locks"),
    ("synchronisation", "locks", "the locks"),
    ("-io", "waiting", "where threads waited"),
    ("peer", "waiting", "where threads waited"),
    ("back-pressure", "waiting", "where threads waited"),
    ("barrier", "locks", "the locks"),
    ("core", "cores", "the cores over time"),
    ("throttling", "cores", "the cores over time"),
    ("oversubscription", "cores", "the cores over time"),
    ("context-switch", "cores", "the cores over time"),
    ("competing-load", "passes", "what the passes cost"),
    ("overhead", "passes", "what the passes cost"),
    ("degraded", "passes", "what is known of the numbers"),
    ("lost-events", "passes", "what is known of the numbers"),
    ("memory", "memory", "memory over time"),
    ("hotspot", "functions", "the functions"),
)
"""Parts of rules' names, and the section that has the figures behind them."""


@dataclass(frozen=True)
class Link:
    """A text, and the address within the page of what shows it; "" where nothing does."""

    text: str
    href: str


@dataclass(frozen=True)
class Row:
    """A finding as texts."""

    rule: str
    severity: str
    sign: str
    summary: str
    explanation: str
    remedy: str
    gain: str
    where: tuple[Link, ...]
    evidence: tuple[tuple[str, str], ...]
    prediction: str
    moment: Link
    proof: Link


@dataclass(frozen=True)
class Told:
    """A story: the finding to act on and those with the same cause."""

    head: Row
    parts: tuple[Row, ...]


@dataclass(frozen=True)
class View:
    """``others`` are rules that found nothing, lacked data, or failed.

    ``foretold`` is the run in other models of concurrency.
    """

    stories: tuple[Told, ...]
    others: tuple[Row, ...]
    foretold: tuple[str, ...]


def build(report: Report) -> Section:
    """Tell the stories, worst first."""
    title = "Findings"
    if not report.findings:
        return Section("findings", title, absence=absence(report, "Wait states were", "states"))
    rows = _Rows(report, Places.of(report), source.anchors(source.build(report)))
    told = tuple(rows.told(one) for one in stories(report))
    rest = tuple(rows.row(one, "") for one in others(report))
    answer = rows.places.sentence(report.verdict) or _answer(len(told))
    foretold = tuple(rows.places.sentence(prediction(one)) for one in report.predictions)
    return Section("findings", title, answer, View(told, rest, foretold))


def _answer(count: int) -> str:
    return f"{count} found." if count else "Nothing was found by what was recorded."


@dataclass(frozen=True)
class _Rows:
    """What every row is made with; ``lines`` are the addresses of lines that the page shows."""

    report: Report
    places: Places
    lines: frozenset[str]

    def told(self, story: Story) -> Told:
        """Tell a story."""
        parts = tuple(self.row(one, "") for one in story.parts)
        return Told(self.row(story.head, story.gain), parts)

    def row(self, one: Finding, gain: str) -> Row:
        """Tell a finding."""
        said = self.places.sentence
        return Row(
            rule=one.rule,
            severity=one.severity.value,
            sign=SIGNS[one.severity],
            summary=said(one.summary),
            explanation=said(one.explanation),
            remedy=said(one.remedy),
            gain=gain,
            where=tuple(map(self._place, one.where)),
            evidence=evidence(self.report, one),
            prediction=said(prediction(one.prediction)) if one.prediction else "",
            moment=self._moment(one),
            proof=_proof(one.rule),
        )

    def _place(self, where: str) -> Link:
        return Link(self.places.where(where), source.link(self.places.parts(where), self.lines))

    def _moment(self, one: Finding) -> Link:
        """Tell when it was; the timeline can show that where it was recorded."""
        if one.window_ns is None:
            return Link("", "")
        start, end = one.window_ns
        text = f"{time_text(start)} to {time_text(end)} after the start"
        href = f"#timeline?t0={start}&t1={end}" if self.report.states and end > start else ""
        return Link(text, href)


def _proof(rule: str) -> Link:
    found = (Link(text, f"#{section}") for part, section, text in _PROOFS if part in rule)
    return next(found, Link("the states of all threads", "#states"))
