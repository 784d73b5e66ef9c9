"""What holds for every rule, whoever wrote it."""

import inspect
from collections.abc import Callable
from dataclasses import replace

import pytest

from concurtrace import discovery
from concurtrace.diagnosis import Part, Rule
from concurtrace.diagnosis.engine import ask, load_rules
from concurtrace.diagnosis.page import CORPUS, PAGE, limits, page
from concurtrace.discovery import Kind
from concurtrace.model.report import Severity
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Origin, Trace
from tests import builders
from tests.builders_trace import trace
from tests.rule_corpus.run import programs
from tests.unit.diagnosis.cases import case, light, taking_turns

NAMES = list(discovery.modules(Kind.RULE))
NO_PROGRAM = {
    "competing-load": "the machine triggers it, not a program",
    "cpu-throttling": "a control group triggers it, not a program",
    "degraded-source": "the machine triggers it, not a program",
    "gil-holder-preempted": "the machine triggers it, not a program",
    "gil-re-enabled": "only a free-threaded Python can show it",
    "frozen-gui": "it needs a display; the fault `blocked` of the workload gui shows it",
    "high-overhead": "a program that is slowed down is a defect of the recorder",
    "lost-update": "a script declares no result; the fault of the workload race shows it",
    "negative-scaling": "how much switching costs is the machine's",
    "unknown-time": "a program with unexplained time is a defect of the recorder",
}
"""Rules without a program in the corpus, and why."""


def every_state() -> Trace:
    made = trace().thread("a")
    for state in State:
        made.span(state, 3, by="b")
    made.thread("b")
    for reason in Reason:
        made.span(State.CONDITION_WAIT, 3, reason, by="a")
    return made.build()


ODD: dict[str, Callable[[], Trace]] = {
    "no thread": lambda: trace().build(),
    "a thread of no length": lambda: trace().thread("a").running(0).build(),
    "one nanosecond": lambda: trace().thread("a").running(1e-6).build(),
    "every state and reason": every_state,
    "only folded": lambda: replace(
        every_state(), spans=every_state().spans.take(slice(0)), threads=()
    ),
    "estimated": lambda: replace(every_state(), origin=Origin.ESTIMATED),
    "no GIL": lambda: replace(every_state(), gil=False),
    "turns": lambda: taking_turns().build(),
}


@pytest.fixture(params=NAMES)
def rule(request: pytest.FixtureRequest) -> Rule:
    found: Rule = discovery.load(Kind.RULE, request.param).RULE
    assert found.id == request.param
    return found


def test_it_says_what_it_judges_and_why_its_limits_are_as_they_are(rule: Rule) -> None:
    module = discovery.load(Kind.RULE, rule.id)
    assert (module.__doc__ or "").strip().partition("\n")[0].endswith(".")
    assert [one.name for one in limits(inspect.getsource(module)) if not one.reason] == []


def test_what_it_needs_and_refines_exists(rule: Rule) -> None:
    assert rule.needs <= set(Part)
    assert rule.refines <= set(NAMES)
    assert rule.id not in rule.refines


def test_without_data_it_says_what_to_record(rule: Rule) -> None:
    (answer,) = ask(rule, case(None))
    expected = Severity.NOT_APPLICABLE if rule.needs else Severity.OK
    assert answer.severity is expected
    assert answer.summary


@pytest.mark.parametrize("name", ODD)
def test_odd_traces_do_not_make_it_fail(rule: Rule, name: str) -> None:
    baseline = builders.one_pass("baseline", 100, 110)
    for passes in ((), (light(overhead=1.2, competing_load=0.5), baseline)):
        for answer in ask(
            rule, case(ODD[name](), *passes, recording=builders.everything().recording)
        ):
            assert answer.severity is not Severity.FAILED, answer.summary
            assert answer.gain_ns >= 0
            if answer.severity in (Severity.WARNING, Severity.INFO):
                assert answer.remedy
                assert answer.summary.endswith(".")


def test_a_special_rule_never_refines_what_refines_it() -> None:
    rules = {one.id: one for one in load_rules()}
    for one in rules.values():
        assert [name for name in one.refines if one.id in rules[name].refines] == []


def test_every_rule_has_programs_or_a_reason_why_not() -> None:
    assert {*programs(), *NO_PROGRAM} == set(NAMES)
    assert not set(programs()) & set(NO_PROGRAM)


def test_the_page_about_rules_is_what_the_rules_say() -> None:
    assert PAGE.read_text("utf-8") == page(CORPUS), "run python -m concurtrace.diagnosis.page"
