"""Make a case for the rules out of a synthetic trace: two cores, everything recorded."""

from dataclasses import replace

from concurtrace import discovery
from concurtrace.diagnosis import Rule
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import ask, diagnose
from concurtrace.discovery import Kind
from concurtrace.model.recording import Recording
from concurtrace.model.report import Finding, Severity
from concurtrace.model.run import Pass, PassStatus
from concurtrace.model.trace import Trace
from tests import builders
from tests.builders_trace import TraceBuilder, trace


def light(**changes: object) -> Pass:
    """The pass that recorded the states."""
    made = Pass("light", ("states",), PassStatus.OK)
    return replace(made, **changes)  # type: ignore[arg-type]


def case(
    made: TraceBuilder | Trace | None,
    *passes: Pass,
    cores: int = 2,
    recording: Recording | None = None,
) -> Case:
    """A case of a trace, recorded by one pass on a machine with some cores."""
    trace = made.build() if isinstance(made, TraceBuilder) else made
    recording = replace(recording or Recording(), trace=trace)
    return Case(recording, passes or (light(),), builders.environment(cores), builders.workload())


def rule(name: str) -> Rule:
    """A rule by its id."""
    found: Rule = discovery.load(Kind.RULE, name).RULE
    return found


def severity(name: str, given: Case) -> Severity:
    """What one rule says of a case."""
    (answer, *_) = ask(rule(name), given)
    assert answer.severity is not Severity.FAILED, answer.summary
    return answer.severity


def heads(given: Case) -> list[str]:
    """The rules that head a warning, worst first."""
    return [one.rule for one in warnings(given)]


def warnings(given: Case) -> list[Finding]:
    """The warnings of all rules."""
    found = diagnose(given)
    assert not [one for one in found if one.severity is Severity.FAILED], found
    return [one for one in found if one.severity is Severity.WARNING]


def taking_turns(rounds: int = 50, each: float = 5) -> TraceBuilder:
    """Two threads that compute, and wait for the GIL while the other has it."""
    made = trace()
    for _ in range(rounds):
        made.thread("a").running(each, at="app.py:5 in parse").waits_gil(each, by="b")
        made.thread("b").waits_gil(each, by="a").running(each, at="app.py:5 in parse")
    return made
