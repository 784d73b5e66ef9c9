"""How many threads were at work at once: exact sums, and the gallery of patterns."""

import itertools
from dataclasses import replace
from unittest import mock

import numpy as np
from concurtrace.reports.html import levels as module
from concurtrace.reports.html.levels import density, levels
from concurtrace.reports.html.patterns import patterns
from concurtrace.reports.html.sections import parallelism
from concurtrace.reports.html.sections.parallelism import View
from hypothesis import given
from hypothesis import strategies as st

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.model.report import Finding, Severity
from tests import builders

STRETCHES = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 40)).map(lambda one: (one[0], sum(one))),
    max_size=20,
)


AT_ONCE = st.sampled_from([1, 3, 1_000_000])


@given(STRETCHES, AT_ONCE)
def test_levels_are_what_counting_every_tick_gives(
    stretches: list[tuple[int, int]], at_once: int
) -> None:
    starts, ends = (np.array([one[n] for one in stretches], np.int64) for n in (0, 1))
    counted = [sum(start <= tick < end for start, end in stretches) for tick in range(10, 120)]
    expected = np.bincount(counted).tolist()
    with mock.patch.object(module, "_AT_ONCE", at_once):
        assert levels(starts, ends, 10, 120).tolist() == expected


@given(STRETCHES, AT_ONCE)
def test_density_is_the_mean_of_every_column(
    stretches: list[tuple[int, int]], at_once: int
) -> None:
    starts, ends = (np.array([one[n] for one in stretches], np.int64) for n in (0, 1))
    edges = range(0, 160, 20)
    expected = [
        sum(max(0, min(end, right) - max(start, left)) for start, end in stretches) / 20
        for left, right in itertools.pairwise(edges)
    ]
    with mock.patch.object(module, "_AT_ONCE", at_once):
        assert np.allclose(density(starts, ends, 0, 140, 7), expected)


def test_the_histogram_says_how_many_were_at_work_and_could_have_been() -> None:
    section = parallelism.build(builders.everything())
    view = section.view
    assert isinstance(view, View)
    told = [(one.name, one.band, one.at_work, one.wanted) for one in view.levels]
    assert told == [
        ("0", "nobody at work", "30.0 ms", "30.0 ms"),
        ("1", "cores free", "20.0 ms", "0"),
        ("2", "every core used", "30.0 ms", "20.0 ms"),
        ("3", "more than cores", "0", "30.0 ms"),
    ]
    assert section.answer.startswith("On average 1.00 threads were at work")
    assert section.answer.endswith("For 62 % of the time at most one was at work.")
    strips = [(one.label, one.highest) for one in view.strips]
    assert strips == [
        ("at work", "2.00"),
        ("waiting for the GIL", "1.00"),
        ("waiting for a lock", "1.00"),
    ]


def test_every_rule_of_a_pattern_exists() -> None:
    rules = set(discovery.modules(Kind.RULE))
    assert {rule for one in patterns(gil=True) for rule in one.rules} <= rules


def test_the_pattern_of_a_finding_comes_first() -> None:
    finding = Finding("lock-convoy", Severity.WARNING, "They queued.")
    section = parallelism.build(replace(builders.everything(), findings=(finding,)))
    view = section.view
    assert isinstance(view, View)
    assert (view.gallery[0].pattern.name, view.gallery[0].rule) == ("convoy", "lock-convoy")
    assert not any(one.rule for one in view.gallery[1:])


def test_without_states_it_says_what_to_do() -> None:
    missing = parallelism.build(builders.report()).absence
    assert missing is not None
    assert missing.command.endswith("--with baseline,states")
