"""Run every rule, isolate those that crash, join what has one cause, put the worst first."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from concurtrace import discovery
from concurtrace.analysis.critical_path import path_steps
from concurtrace.diagnosis import Answer, Part, Rule
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.loops import idle_places
from concurtrace.diagnosis.prediction.chosen import prediction_for, predictions
from concurtrace.diagnosis.verdict import verdict
from concurtrace.discovery import Kind
from concurtrace.model.report import Finding, PathPieces, PathStep, Prediction, Severity

_T = TypeVar("_T")

_ORDER = (
    Severity.WARNING,
    Severity.INFO,
    Severity.FAILED,
    Severity.OK,
    Severity.NOT_APPLICABLE,
)
_HELD_BACK = (Severity.WARNING, Severity.INFO)


@dataclass(frozen=True)
class _Said:
    """An answer and the rule that gave it."""

    rule: Rule
    answer: Answer


@dataclass(frozen=True)
class Diagnosis:
    """What there is to say of a run; ``critical_path`` is None where no wait was recorded."""

    findings: tuple[Finding, ...]
    verdict: str
    critical_path: tuple[PathStep, ...] | None
    predictions: tuple[Prediction, ...] = ()
    path: PathPieces | None = None


def judge(case: Case) -> Diagnosis:
    """Judge a run by every rule and sum it up."""
    findings = diagnose(case)
    failed: list[Finding] = []
    nothing: tuple[Prediction, ...] = ()
    foretold = _isolated(lambda: predictions(case), nothing, failed)
    findings = (*findings, *failed)
    told = idle_places(case)
    steps = path_steps(case.trace, case.path, told=told) if len(case.trace.spans) else None
    pieces = PathPieces(case.path.row.astype(np.uint32), case.path.start_ns, case.path.end_ns)
    path = pieces if steps is not None else None
    return Diagnosis(findings, verdict(case, findings), steps, foretold, path)


def load_rules() -> tuple[Rule, ...]:
    """Load every rule there is."""
    # Each is imported by its path: to look all of them up anew for every name takes far longer.
    paths = discovery.modules(Kind.RULE).values()
    return tuple(importlib.import_module(path).RULE for path in paths)


def diagnose(case: Case, rules: Iterable[Rule] | None = None) -> tuple[Finding, ...]:
    """Judge a run by every rule: stories first, then rules that failed, are content, or idle."""
    said = [_Said(rule, one) for rule in rules or load_rules() for one in ask(rule, case)]
    findings: list[Finding] = []
    failed: list[Finding] = []
    for story in _stories([one for one in said if one.answer.severity in _HELD_BACK]):
        findings.extend(_tell(case, story, failed))
    findings += failed
    findings += [
        _finding(one.rule, one.answer) for one in said if one.answer.severity not in _HELD_BACK
    ]
    return tuple(sorted(findings, key=lambda one: _ORDER.index(one.severity)))


def ask(rule: Rule, case: Case) -> tuple[Answer, ...]:
    """Ask one rule; what it needs and misses, and a crash of its own, are answers too."""
    try:
        absent = [part for part in Part if part in rule.needs and not part.is_in(case)]
        if absent:
            return (Answer(Severity.NOT_APPLICABLE, f"{_capital(absent[0].value)}."),)
        answers = tuple(rule.check(case))
    # A rule may come from anyone: whatever is wrong with it, the others go on.
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        return (Answer(Severity.FAILED, f"The rule itself failed: {told}"),)
    return answers or (Answer(Severity.OK, "Nothing of the kind was found."),)


def _stories(said: list[_Said]) -> list[list[_Said]]:
    """Group answers by what is to blame, symptoms with what explains them; costliest first."""
    groups: dict[object, list[_Said]] = {}
    for one in said:
        groups.setdefault((one.answer.cause, one.answer.thing), []).append(one)
    stories = [_in_order(group) for group in groups.values()]
    stories.sort(key=_rank)
    roots = [story for story in stories if _explaining(story, stories) is None]
    for story in stories:
        if not any(story is root for root in roots):
            into = _explaining(story, roots)
            # What explains it is a symptom itself: it stands alone rather than being lost.
            if into is None:
                roots.append(story)
            else:
                into.extend(story)
    return sorted(roots, key=_rank)


def _explaining(story: list[_Said], others: list[list[_Said]]) -> list[_Said] | None:
    """Find the costliest story that explains another, and is as bad."""
    head = story[0].answer
    for other in others:
        first = other[0].answer
        as_bad = _HELD_BACK.index(first.severity) <= _HELD_BACK.index(head.severity)
        if other is not story and first.cause in head.explained_by and as_bad:
            return other
    return None


def _in_order(story: list[_Said]) -> list[_Said]:
    """Put the most special of the worst answers first: it says most."""
    worst = min(_HELD_BACK.index(one.answer.severity) for one in story)
    heads = [one for one in story if one.answer.severity is _HELD_BACK[worst]]
    general = {name for one in heads for name in one.rule.refines}

    def key(one: _Said) -> tuple[int, bool, int, str]:
        severity = _HELD_BACK.index(one.answer.severity)
        return severity, one.rule.id in general, -one.answer.gain_ns, one.rule.id

    return sorted(story, key=key)


def _rank(story: list[_Said]) -> tuple[int, int, str]:
    head = story[0]
    gain = max(one.answer.gain_ns for one in story)
    return _HELD_BACK.index(head.answer.severity), -gain, head.rule.id


def _isolated(make: Callable[[], _T], otherwise: _T, failed: list[Finding]) -> _T:
    """Foretell something; where that crashes, say so among what failed and go on without."""
    try:
        return make()
    except Exception as error:
        told = f"A prediction failed: {type(error).__name__}: {error}"
        failed.append(Finding("predictions", Severity.FAILED, told))
        return otherwise


def _tell(case: Case, story: list[_Said], failed: list[Finding]) -> list[Finding]:
    """Make the findings of a story: its parts inform, for only its head is to be acted on."""
    first, *rest = story
    head = _finding(first.rule, first.answer)
    if head.prediction is None:
        foretold = _isolated(
            lambda: prediction_for(case, first.rule.id, first.answer), None, failed
        )
        head = replace(head, prediction=foretold)
    others = tuple(dict.fromkeys(one.rule.id for one in rest if one.rule.id != head.rule))
    gain = max(one.answer.gain_ns for one in story)
    parts = [
        replace(
            _finding(one.rule, one.answer),
            severity=Severity.INFO,
            part_of=head.rule,
        )
        for one in rest
    ]
    return [replace(head, also=others, gain_ns=gain), *parts]


def _finding(rule: Rule, answer: Answer) -> Finding:
    return Finding(
        rule=rule.id,
        severity=answer.severity,
        summary=answer.summary,
        explanation=answer.explanation,
        remedy=answer.remedy,
        where=answer.where,
        window_ns=answer.window_ns,
        evidence=dict(answer.evidence) or None,
        prediction=answer.prediction,
        gain_ns=answer.gain_ns,
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
