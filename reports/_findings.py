"""Findings as people read them: what to act on first, its parts beneath, the rest on request."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from concurtrace.model.report import Finding, Prediction, Report, Severity
from concurtrace.units import count_text, share_text, significant, time_text

from ._places import Places

SIGNS = {
    Severity.WARNING: "▲",
    Severity.INFO: "•",
    Severity.OK: "✔",
    Severity.NOT_APPLICABLE: "○",
    Severity.FAILED: "✖",
}
_SHARES = ("share", "held", "contention", "availability", "idle", "alone", "overhead", "taken")


@dataclass(frozen=True)
class Story:
    """A finding to act on, with the findings that have the same cause."""

    head: Finding
    parts: tuple[Finding, ...]

    @property
    def gain(self) -> str:
        """What it costs, as a text; "" where that can't be said."""
        return f"up to {time_text(self.head.gain_ns)}" if self.head.gain_ns else ""


def stories(report: Report) -> tuple[Story, ...]:
    """Group what was found, in the order of the report."""
    told = (Severity.WARNING, Severity.INFO)
    heads = [one for one in report.findings if one.severity in told and one.part_of is None]
    return tuple(
        Story(head, tuple(one for one in report.findings if _belongs(one, head))) for head in heads
    )


def _belongs(one: Finding, head: Finding) -> bool:
    return one.part_of == head.rule and one.rule in (*head.also, head.rule)


def others(report: Report) -> tuple[Finding, ...]:
    """List rules that found nothing, lacked data, or failed."""
    quiet = (Severity.FAILED, Severity.OK, Severity.NOT_APPLICABLE)
    return tuple(one for one in report.findings if one.severity in quiet)


def where(report: Report, finding: Finding) -> tuple[str, ...]:
    """Name the places of a finding: ``crawl.py:4 in fetch``."""
    places = Places.of(report)
    return tuple(places.where(one) for one in finding.where)


def evidence(report: Report, finding: Finding) -> tuple[tuple[str, str], ...]:
    """Write the proof as pairs of a name and a text."""
    places = Places.of(report)
    given: Mapping[str, int | float | str] = finding.evidence or {}
    return tuple((_name(key), _value(key, value, places)) for key, value in given.items())


def _name(key: str) -> str:
    return key.removesuffix("_ns").removesuffix("_bytes").replace("_", " ")


def _value(key: str, value: float | str, places: Places) -> str:
    match value:
        case str():
            return places.sentence(value)
        case _ if key.endswith("_ns"):
            return time_text(value)
        case float() if key.endswith(_SHARES):
            return share_text(value)
        case float():
            return significant(value)
        case _:
            return count_text(value)


def prediction(one: Prediction) -> str:
    """Write a prediction with its range and how far the model is off."""
    return f"{predicted(one)}, if {'; '.join(one.assumptions)}"


def predicted(one: Prediction) -> str:
    """Write a prediction without what it assumes."""
    return (
        f"{one.what_if}: {times_text(one.speedup)} as fast"
        f" ({significant(one.low)} to {significant(one.high)}; the model replays the measured run"
        f" {share_text(abs(one.model_error))} off)"
    )


def numbered(assumptions: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Number what several predictions assume: the numbers of each, and the list of all."""
    every: dict[str, int] = {}
    marks = tuple(
        ",".join(str(every.setdefault(one, len(every) + 1)) for one in each) for each in assumptions
    )
    return marks, tuple(f"({number}) {text}" for text, number in every.items())


def times_text(factor: float) -> str:
    """Write a factor: ``1.86 times``."""
    return f"{significant(factor)} times"
