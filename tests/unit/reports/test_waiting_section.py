"""The flame graph of waits: sums by state and stack."""

from concurtrace.reports.html.sections import waiting
from concurtrace.reports.html.sections.flame import View

from concurtrace.model.recording import Recording
from concurtrace.model.report import Report
from tests import builders
from tests.builders import one_pass, with_states
from tests.builders_trace import MS, TraceBuilder, trace


def of(made: TraceBuilder) -> Report:
    light = one_pass("light", 110, instruments=("states",))
    return with_states(builders.report(light, recording=Recording(trace=made.build())))


def test_waits_are_added_up_by_state_and_stack() -> None:
    one, other = ("a.py:2 in inner < a.py:9 in outer", "a.py:5 in else < a.py:9 in outer")
    made = (
        trace()
        .thread("MainThread").running(7).waits_lock(40, "L", at=one).waits_lock(2, "L", at=other)
        .thread("other").waits_lock(10, "L", at=one).sleeps(30, at=other)
    )  # fmt: skip
    section = waiting.build(of(made))
    data = section.data["waiting"]
    assert data["threads"] == ("waiting for a lock", "sleeping")
    names = [name for name, _, _ in data["functions"]]
    lock = data["trees"][0]
    assert [names[number] for number in lock["function"]] == ["outer", "inner", "else"]
    assert lock["depth"] == [0, 1, 1]
    assert lock["total"] == [52 * MS, 50 * MS, 2 * MS]
    assert lock["calls"] == [3, 2, 1]
    assert section.answer == ("Threads waited 82.0 ms together; 63 % of it waiting for a lock.")
    view = section.view
    assert isinstance(view, View)
    assert [(row.name, row.calls) for row in view.rows][:2] == [("inner", "2"), ("else", "1")]


def test_a_stack_of_any_depth_is_shown() -> None:
    at = " < ".join(f"a.py:1 in f{number}" for number in range(3000))
    data = waiting.build(of(trace().thread("MainThread").sleeps(5, at=at))).data["waiting"]
    assert max(data["trees"][0]["depth"]) == 2999


def test_a_wait_without_a_stack_is_counted() -> None:
    data = waiting.build(of(trace().thread("MainThread").sleeps(5))).data["waiting"]
    assert data["trees"][0]["total"] == [5 * MS]


def test_without_waits_or_states_it_says_so() -> None:
    assert "No wait" in waiting.build(of(trace().thread("MainThread").running(5))).answer
    missing = waiting.build(builders.report()).absence
    assert missing is not None
    assert missing.command.endswith("--with baseline,states")
