"""Findings: what holds the run back, the proof, and what to do."""

from dataclasses import dataclass

from concurtrace.model.report import Finding, Report
from concurtrace.units import time_text

from ..._findings import SIGNS, Story, evidence, others, prediction, shown, stories, where
from ..._words import absence
from ..section import Section


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
    where: tuple[str, ...]
    evidence: tuple[tuple[str, str], ...]
    prediction: str
    window: str


@dataclass(frozen=True)
class Told:
    """A story: the finding to act on and those with the same cause."""

    head: Row
    parts: tuple[Row, ...]


@dataclass(frozen=True)
class View:
    """``others`` are rules that found nothing, lacked data, or failed."""

    stories: tuple[Told, ...]
    others: tuple[Row, ...]


def build(report: Report) -> Section:
    """Tell the stories, worst first."""
    title = "Findings"
    if not report.findings:
        return Section("findings", title, absence=absence(report, "Wait states were", "states"))
    told = tuple(_told(report, one) for one in stories(report))
    rest = tuple(_row(report, one, "") for one in others(report))
    answer = shown(report.verdict) or _answer(len(told))
    return Section("findings", title, answer, View(told, rest))


def _answer(count: int) -> str:
    return f"{count} found." if count else "Nothing was found by what was recorded."


def _told(report: Report, story: Story) -> Told:
    parts = tuple(_row(report, one, "") for one in story.parts)
    return Told(_row(report, story.head, story.gain), parts)


def _row(report: Report, one: Finding, gain: str) -> Row:
    return Row(
        rule=one.rule,
        severity=one.severity.value,
        sign=SIGNS[one.severity],
        summary=shown(one.summary),
        explanation=shown(one.explanation),
        remedy=shown(one.remedy),
        gain=gain,
        where=where(report, one),
        evidence=evidence(one),
        prediction=shown(prediction(one.prediction)) if one.prediction else "",
        window=_window(one),
    )


def _window(one: Finding) -> str:
    if one.window_ns is None:
        return ""
    start, end = one.window_ns
    return f"{time_text(start)} to {time_text(end)} after the start"
