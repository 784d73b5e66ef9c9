"""Rules about what Python and the machine do beside the program's own work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import ask
from concurtrace.model.report import Severity
from concurtrace.model.run import Strain, Throttling
from concurtrace.model.runtime import Generation, QueueLengths
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Trace
from tests import builders
from tests.builders_trace import MS, ZERO_NS, trace
from tests.unit.diagnosis.cases import case, heads, light, rule, severity

OK, INFO, WARNING = Severity.OK, Severity.INFO, Severity.WARNING
NA = Severity.NOT_APPLICABLE


def collecting(made: Trace, *generations: Generation) -> Trace:
    """Say what the first process collected."""
    first, *others = made.processes
    return replace(made, processes=(replace(first, collections=generations), *others))


def collected(ms: float, longest: float = 1) -> Generation:
    return Generation(10, round(ms * MS), round(longest * MS), 7)


def with_a_collector(ms: float) -> Trace:
    """A thread that works and collects for some of 1000 ms while another wants the GIL."""
    made = trace().thread("a").running(1000 - ms, at="app.py:5 in work")
    made.span(State.RUNNING, ms, Reason.GC, at="app.py:9 in clear")
    made.thread("b").sleeps(1000 - ms).waits_gil(ms, by="a")
    return made.build()


@pytest.mark.parametrize(("ms", "said"), [(30, OK), (70, INFO), (150, WARNING)])
def test_collections_are_judged_by_their_share_of_the_time(ms: int, said: Severity) -> None:
    made = collecting(with_a_collector(ms), collected(ms / 2), collected(0, 0), collected(ms / 2))
    (answer,) = ask(rule("gc-pauses"), case(made))
    assert answer.severity is said
    if said is not OK:
        assert "All of its 2 Python threads stand still meanwhile" in answer.explanation
        assert (answer.evidence["waited_ns"], answer.where) == (ms * MS, ("app.py:9 in clear",))
        assert answer.evidence["generation_2"] == 10


def test_on_a_busy_machine_the_time_without_a_core_is_not_the_collector_s() -> None:
    made = trace().thread("a").running(400).ready(600)
    assert severity("gc-pauses", case(collecting(made.build(), collected(150)))) is INFO
    assert severity("gc-pauses", case(collecting(made.build(), collected(400)))) is WARNING


def test_one_long_collection_is_told_though_all_take_little() -> None:
    made = trace().thread("a").running(30_000).build()
    assert severity("gc-pauses", case(collecting(made, collected(1200, 1100)))) is INFO
    assert severity("gc-pauses", case(collecting(made, collected(1200, 900)))) is OK


def test_without_the_figures_nothing_is_said_of_collections() -> None:
    assert severity("gc-pauses", case(trace().thread("a").running(900))) is NA


def test_a_long_collection_is_not_taken_for_native_code_that_keeps_the_gil() -> None:
    made = collecting(with_a_collector(200), collected(200, 200))
    assert heads(case(made)) == ["gc-pauses"]
    native = trace().thread("a").running(1000, at="app.py:5 in work")
    native.thread("b").sleeps(800).waits_gil(200, by="a")
    assert heads(case(native)) == ["long-gil-hold"]


def strained(strain: Strain | None, wall: float = 1000, made: Trace | None = None) -> Case:
    """A run of which the kernel told something."""
    run = builders.execution(wall, strain=strain)
    return case(made or trace().thread("a").running(wall).build(), light(executions=(run,)))


@pytest.mark.parametrize(
    ("throttled", "ms", "said"),
    [(0, 0, OK), (2, 30, INFO), (5, 400, WARNING), (5, 20, INFO)],
)
def test_throttling_is_judged_by_periods_and_time(throttled: int, ms: int, said: Severity) -> None:
    given = strained(Strain(Throttling(0.5, 40, throttled, ms * MS)))
    (answer,) = ask(rule("cpu-throttling"), given)
    assert answer.severity is said
    if said is not OK:
        assert f"stopped the program in {throttled} of 40 periods" in answer.summary
        assert "Use at most 1 busy worker, and not" in answer.remedy


@pytest.mark.parametrize("strain", [None, Strain()])
def test_without_a_quota_there_is_no_throttling(strain: Strain | None) -> None:
    assert severity("cpu-throttling", strained(strain)) is NA


def test_faults_are_weighed_by_what_a_disk_takes() -> None:
    assert severity("major-faults", strained(Strain(major_faults=30))) is OK
    assert severity("major-faults", strained(Strain(major_faults=90))) is OK
    (answer,) = ask(rule("major-faults"), strained(Strain(major_faults=200)))
    assert answer.severity is INFO
    assert answer.evidence["asleep_ns"] == 20 * MS
    assert severity("major-faults", strained(Strain(major_faults=2000))) is WARNING
    assert severity("major-faults", strained(None)) is NA
    made = trace().thread("a").running(1000).build()
    busy = replace(made.threads[0], major_faults=2000, cpu_ns=995 * MS)
    given = strained(Strain(major_faults=2000), made=replace(made, threads=(busy,)))
    assert severity("major-faults", given) is OK


def test_where_switches_were_seen_the_sleep_itself_counts() -> None:
    made = trace().thread("a").running(600, core=0)
    made.span(State.GIL_BLOCKED, 300, Reason.OTHER).running(100, core=1)
    made.thread("b").span(State.UNKNOWN, 900, Reason.OTHER)
    built = made.build()
    first, second = built.threads
    built = replace(built, threads=(replace(first, major_faults=200), second))
    given = strained(Strain(major_faults=200), made=built)
    (answer,) = ask(rule("major-faults"), given)
    assert (answer.severity, answer.evidence["asleep_ns"]) == (WARNING, 300 * MS)
    assert severity("gil-held-while-blocked", given) is OK
    few = replace(built, threads=(replace(first, major_faults=3), second))
    assert severity("gil-held-while-blocked", strained(Strain(major_faults=3), made=few)) is INFO


def test_a_machine_short_of_memory_is_told() -> None:
    (answer,) = ask(rule("major-faults"), strained(Strain(None, 300 * MS, 1 << 20, 10)))
    assert answer.severity is INFO
    assert "1.00 MiB were read back from swap" in answer.explanation
    assert "stood still for want of it 30 % of the time" in answer.explanation
    assert answer.remedy.startswith("Use less memory")


def queue_of(lengths: list[int], *, gets: int = 200, every: float = 20) -> QueueLengths:
    """Readings of a queue, evenly spaced; so many items are taken out in all, evenly too."""
    taken = [gets * number // max(1, len(lengths) - 1) for number in range(len(lengths))]
    return QueueLengths(
        process=0,
        created_ns=ZERO_NS,
        created_stack=1,
        creator_tid=0,
        times_ns=tuple(ZERO_NS + round(number * every * MS) for number in range(len(lengths))),
        lengths=tuple(lengths),
        puts=tuple(length + one for length, one in zip(lengths, taken, strict=True)),
        gets=tuple(taken),
    )


def filled(queue: QueueLengths) -> Case:
    """A run of 1000 ms with a queue."""
    made = trace().thread("a").running(1000, at="app.py:3 in main").build()
    return case(replace(made, queues=(queue,)))


def test_a_queue_that_only_grows_is_told_with_its_place() -> None:
    (answer,) = ask(rule("queue-growth"), filled(queue_of(list(range(40, 540, 10)))))
    assert answer.severity is WARNING
    assert answer.where == ("app.py:3 in main",)
    assert answer.window_ns == (0, 980 * MS)
    assert (answer.evidence["puts"], answer.evidence["gets"]) == (690, 200)
    assert "690 were put in and 200 taken out" in answer.summary


RISING = list(range(40, 290, 10))


@pytest.mark.parametrize(
    ("queue", "said"),
    [
        (queue_of([*RISING, *RISING[::-1]]), INFO),  # grew for half of the run, less a reading
        (queue_of([*RISING[::4], *range(290, 40, -6)]), OK),  # filled at once, then worked off
        (queue_of([40, 140] * 25), OK),
        (queue_of(list(range(40, 90))), OK),  # never long
        (queue_of(RISING * 2, gets=0), OK),
        (queue_of(list(range(40, 540, 10)), gets=5), OK),  # kept for later
        (queue_of([40, 300, 900], every=400), OK),  # too few readings
    ],
)
def test_bursts_and_stores_are_no_growth(queue: QueueLengths, said: Severity) -> None:
    assert severity("queue-growth", filled(queue)) is said
