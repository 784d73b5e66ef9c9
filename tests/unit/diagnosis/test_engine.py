"""The engine: crashes stay inside their rule, one cause is one story, the costliest comes first."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from concurtrace.diagnosis import Answer, Cause, Part, Rule, engine
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import diagnose, judge
from concurtrace.model.report import Finding, Severity
from concurtrace.model.run import Pass, PassStatus
from concurtrace.model.states import State
from concurtrace.model.trace import EndedBy, StateTotal
from tests.builders_trace import MS, trace
from tests.unit.diagnosis.cases import case, taking_turns

CASE = case(trace().thread("main").running(100))


def saying(name: str, *answers: Answer, refines: tuple[str, ...] = ()) -> Rule:
    return Rule(name, frozenset(), lambda _: answers, frozenset(refines))


def warn(
    gain: int, cause: Cause = Cause.CODE, thing: str = "", explained_by: Iterable[Cause] = ()
) -> Answer:
    return Answer(
        Severity.WARNING,
        f"{gain} ms",
        gain_ns=gain * MS,
        cause=cause,
        thing=thing,
        explained_by=frozenset(explained_by),
    )


def names(findings: Iterable[Finding]) -> list[tuple[str, str | None]]:
    return [(one.rule, one.part_of) for one in findings]


def test_a_rule_that_crashes_is_told_and_the_others_go_on() -> None:
    def crash(_: Case) -> Iterable[Answer]:
        raise ZeroDivisionError("by the rule")

    found = diagnose(CASE, [Rule("broken", frozenset(), crash), saying("good", warn(1))])
    assert [(one.rule, one.severity) for one in found] == [
        ("good", Severity.WARNING),
        ("broken", Severity.FAILED),
    ]
    assert "ZeroDivisionError: by the rule" in found[1].summary


def test_what_a_rule_needs_and_misses_is_said() -> None:
    (finding,) = diagnose(
        case(None), [Rule("needy", frozenset({Part.STATES}), lambda _: [warn(1)])]
    )
    assert finding.severity is Severity.NOT_APPLICABLE
    assert "--with states" in finding.summary


def test_a_rule_that_says_nothing_is_content() -> None:
    (finding,) = diagnose(CASE, [saying("silent")])
    assert finding.severity is Severity.OK


def test_the_costliest_comes_first() -> None:
    found = diagnose(
        CASE,
        [
            saying("fine", Answer(Severity.OK, "fine")),
            saying("cheap", warn(1, Cause.IO)),
            saying("dear", warn(9, Cause.POOL)),
            saying("hint", Answer(Severity.INFO, "hint", gain_ns=99 * MS)),
        ],
    )
    assert [one.rule for one in found] == ["dear", "cheap", "hint", "fine"]


def test_one_cause_is_one_story_told_by_the_most_special_rule() -> None:
    found = diagnose(
        CASE,
        [
            saying("general", warn(9, Cause.LOCK, "L")),
            saying("special", warn(5, Cause.LOCK, "L"), refines=("general",)),
            saying("other", warn(7, Cause.LOCK, "M")),
        ],
    )
    assert names(found) == [("special", None), ("other", None), ("general", "special")]
    assert found[0].also == ("general",)
    assert found[0].gain_ns == 9 * MS
    assert found[2].severity is Severity.INFO


def test_a_symptom_joins_what_explains_it() -> None:
    symptom = warn(50, Cause.CORES, explained_by=[Cause.GIL])
    found = diagnose(CASE, [saying("idle", symptom), saying("gil", warn(5, Cause.GIL))])
    assert names(found) == [("gil", None), ("idle", "gil")]
    alone = diagnose(CASE, [saying("idle", symptom)])
    assert names(alone) == [("idle", None)]


def test_a_warning_never_hides_behind_a_hint() -> None:
    symptom = warn(50, Cause.CORES, explained_by=[Cause.GIL])
    hint = Answer(Severity.INFO, "held", gain_ns=99 * MS, cause=Cause.GIL)
    found = diagnose(CASE, [saying("idle", symptom), saying("gil", hint)])
    assert names(found) == [("idle", None), ("gil", None)]


def test_symptoms_of_each_other_are_both_told() -> None:
    one = warn(2, Cause.CORES, explained_by=[Cause.WORK])
    two = warn(1, Cause.WORK, explained_by=[Cause.CORES])
    found = diagnose(CASE, [saying("one", one), saying("two", two)])
    assert sorted(one.rule for one in found) == ["one", "two"]


def test_the_verdict_is_the_first_warning_and_what_to_try() -> None:
    said = judge(case(taking_turns()))
    assert said.verdict.startswith(said.findings[0].summary)
    assert "What to try: Give the work to processes" in said.verdict


def test_nothing_found_is_said_and_nothing_recorded_is_not_judged() -> None:
    assert judge(CASE).verdict.startswith("Nothing was found that holds this run back.")
    empty = judge(case(None))
    assert "the recording of wait states is empty" in empty.verdict
    assert empty.critical_path is None
    baseline = Pass("baseline", ("baseline",), PassStatus.OK)
    assert "not recorded (--with states)" in judge(case(None, baseline)).verdict


def test_a_killed_child_and_spans_without_order_are_told_with_the_verdict() -> None:
    made = taking_turns().process("worker", parent=0).thread("worker").running(100)
    built = made.build()
    parent, child = built.processes
    child = replace(child, ended_by=EndedBy.SIGNAL, signal=9, exit_code=None)
    said = judge(case(replace(built, processes=(parent, child)))).verdict
    assert "worker was ended by signal 9, and what it would have done is in no figure." in said
    first, *rest = built.threads
    total = {State.RUNNING: StateTotal(250 * MS, 9, folded_ns=200 * MS, folded_count=8)}
    folded = replace(built, threads=(replace(first, totals=total), *rest))
    assert "of the threads' time is known as sums only" in judge(case(folded)).verdict


def test_a_prediction_that_crashes_is_told_and_the_report_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("no time at all")

    monkeypatch.setattr(engine, "predictions", crash)
    monkeypatch.setattr(engine, "prediction_for", crash)
    said = judge(CASE)
    findings = said.findings
    assert "Mind that predictions failed and may have missed" in said.verdict
    failed = {one.summary for one in findings if one.severity is Severity.FAILED}
    assert failed == {"A prediction failed: ZeroDivisionError: no time at all"}
    assert len(findings) > len(failed)
