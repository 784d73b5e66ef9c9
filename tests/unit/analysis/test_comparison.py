"""Modes ranked and told in words, from times that leave no doubt or much."""

from dataclasses import replace

import pytest

from concurtrace.analysis.comparison import checked, ranked, trouble
from concurtrace.diagnosis.comparison import comparison_verdict
from concurtrace.model.comparison import Ledger, ModeResult, Spent
from concurtrace.model.report import Finding, Prediction, Severity
from concurtrace.model.run import PassStatus
from tests import builders

MS = 1_000_000
STEADY = (1.0, 1.01, 0.99)
NOISY = (1.0, 3.0, 0.3)


def mode(name: str, ms: float, spread: tuple[float, ...] = STEADY) -> ModeResult:
    report = builders.report(target=builders.workload(mode=name))
    walls = tuple(round(ms * one * MS) for one in spread)
    return ModeResult(name, None, f"modes/{name}", report, walls, None, None, None)


def said(*modes: ModeResult, reference: str = "sequential") -> str:
    return comparison_verdict(ranked(modes, reference), reference)


def test_the_fastest_wins_with_its_interval() -> None:
    text = said(mode("sequential", 200), mode("processes", 100), mode("threads", 150))
    assert text.startswith("For this work on this machine: processes, 2.00 times (2.00 to 2.00)")


def test_who_takes_longer_than_the_reference_loses_and_it_is_said_why() -> None:
    slow = mode("threads", 300)
    held = Finding("gil-saturation", Severity.WARNING, "The GIL was held 97 % of the time.")
    slow = replace(slow, report=replace(slow.report, findings=(held,)))
    text = said(mode("sequential", 200), slow)
    assert "sequential; the next, threads, takes 1.50 times as long" in text
    assert "because: The GIL was held 97 % of the time." in text


def test_without_a_warning_the_ledger_says_why() -> None:
    spent = {Spent.RUNNING: 100 * MS, Spent.LOCKS: 100 * MS}
    slow = replace(mode("threads", 300), ledger=Ledger(100 * MS, 2, spent))
    assert "50 % of the cores' time was idle: threads waited for locks" in said(
        mode("sequential", 200), slow
    )


def test_a_lead_that_noise_could_explain_is_a_tie() -> None:
    noisy = mode("threads", 190, NOISY)
    text = said(mode("sequential", 200), noisy)
    assert "a tie. Noise could explain what is between sequential and threads." in text


def test_who_brings_nothing_beside_a_winner_is_told_with_the_reason() -> None:
    same = mode("threads", 200, (1.1, 0.9, 1.0))
    held = Finding("gil-saturation", Severity.WARNING, "The GIL was held 97 % of the time.")
    same = replace(same, report=replace(same.report, findings=(held,)))
    text = said(mode("sequential", 200), mode("processes", 20), same)
    assert "The mode threads brings nothing over sequential (1.00 times" in text
    assert "because: The GIL was held 97 % of the time." in text


def test_two_that_both_beat_the_reference_may_tie() -> None:
    one = mode("processes", 100, (1.0, 1.02, 0.98))
    other = mode("async", 100, (1.0, 0.98, 1.02))
    text = said(mode("sequential", 200), one, other)
    assert "a tie" in text
    assert "sequential and" not in text


def test_a_wrong_result_is_no_winner() -> None:
    wrong = replace(mode("threads", 1), trouble="its result is wrong")
    results = ranked((mode("sequential", 200), wrong), "sequential")
    assert [one.speedup is None for one in results] == [False, True]
    assert "Left out: threads (its result is wrong)." in said(mode("sequential", 200), wrong)


def test_nothing_is_said_without_the_reference() -> None:
    broken = replace(mode("sequential", 1), trouble="the time limit passed")
    assert "Nothing can be said" in said(broken, mode("threads", 1))


@pytest.mark.parametrize(
    ("status", "verified", "expected"),
    [
        (PassStatus.OK, True, None),
        (PassStatus.OK, None, None),
        (PassStatus.OK, False, "its result is wrong"),
        (PassStatus.PARTIAL, None, "the time limit passed"),
    ],
)
def test_trouble_is_named(status: PassStatus, verified: bool | None, expected: str | None) -> None:
    reason = None if status is PassStatus.OK else "the time limit passed"
    made = builders.one_pass("baseline", status=status, verified=verified, reason=reason)
    assert trouble(made, interrupted=False) == expected


def test_rounds_before_an_interruption_count() -> None:
    reason = "the run was interrupted"
    made = builders.one_pass("baseline", 10, 11, status=PassStatus.PARTIAL, reason=reason)
    assert trouble(made, interrupted=True) is None
    none = replace(made, executions=())
    assert trouble(none, interrupted=True) == reason


def test_a_prediction_stands_beside_what_was_measured() -> None:
    foretold = Prediction("processes", 2.2, 2.0, 2.4, ("alone",), 0.01)
    threads = mode("threads", 200)
    threads = replace(threads, report=replace(threads.report, predictions=(foretold,)))
    (found,) = checked(ranked((threads, mode("processes", 100)), "threads"))
    assert (found.from_mode, found.to_mode) == ("threads", "processes")
    assert found.measured.factor == pytest.approx(2)
    assert found.error == pytest.approx(0.1)
