"""Rules about what the recorder counts by piece, place or content, on figures chosen here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import ask
from concurtrace.model.lock_site import LockSite
from concurtrace.model.lost import LostException, LostIn
from concurtrace.model.messages import Messages, Repeated
from concurtrace.model.recording import Function, ProcessKey, Recording
from concurtrace.model.report import Severity
from concurtrace.model.spans import Frame
from concurtrace.model.states import Reason, State
from concurtrace.model.tasks import Jobs, TaskProcess, TaskTrace
from concurtrace.model.trace import EndedBy, ObjectKind, Trace, WaitObject
from tests.builders_trace import MS, ZERO_NS, trace
from tests.unit.diagnosis.cases import case, heads, rule, severity
from tests.unit.diagnosis.test_rules_more import sampled

OK, INFO, WARNING = Severity.OK, Severity.INFO, Severity.WARNING
LIB = "/usr/lib/python3.11"
IN_POOL = f"{LIB}/multiprocessing/pool.py:125 in worker"
TAKES = f"{LIB}/multiprocessing/queues.py:365 in SimpleQueue.get < {IN_POOL}"
QUEUE_KEY = 77


def pool_of(*taken: int | None, loads: tuple[float, ...] = (1000, 300)) -> Trace:
    """A pool of processes that took so many pieces each; None: it never waited for the queue."""
    made = trace().thread("main").waits(1000, Reason.FUTURE)
    made.lock("work queue", kind=ObjectKind.MP_LOCK)
    for number, load in enumerate(loads):
        made.process(f"ForkPoolWorker-{number}", parent=0).thread("t")
        made.running(load, at=f"app.py:4 in work < {IN_POOL}")
        made.waits(1010 - load, Reason.IDLE_WORKER, at=TAKES, on="work queue")
    built = made.build()
    waited_for = replace(built.objects[1], process=1, key=QUEUE_KEY, acquisitions=taken[0] or 0)
    others = tuple(
        WaitObject(ObjectKind.MP_LOCK, number, QUEUE_KEY, acquisitions=count)
        for number, count in enumerate(taken[1:], 2)
        if count is not None
    )
    return replace(built, objects=(built.objects[0], waited_for, *others))


def test_a_pool_with_few_large_pieces_heads_the_story_of_its_imbalance() -> None:
    given = case(pool_of(2, 2))
    (said,) = ask(rule("coarse-granularity"), given)
    assert said.severity is WARNING
    assert said.evidence["pieces"] == 4
    assert said.gain_ns == 350 * MS
    assert heads(given) == ["coarse-granularity"]


@pytest.mark.parametrize(
    "made", [pool_of(30, 9), pool_of(2, None), pool_of(2, 2, loads=(1000, 900))]
)
def test_many_pieces_unknown_ones_or_equal_loads_are_no_coarse_granularity(made: Trace) -> None:
    assert severity("coarse-granularity", case(made)) is OK


def jobs(*rows: tuple[float, float, float, int], tid: int) -> Jobs:
    """Calls as (given, begun, ended in ms, worker)."""
    times = [np.array([ZERO_NS + round(row[n] * MS) for row in rows], np.int64) for n in range(3)]
    zeros = np.zeros(len(rows), np.uint32)
    tids = np.array([tid + row[3] for row in rows], np.uint32)
    return Jobs(zeros.astype(np.int32), zeros.astype(np.int32) - 1, zeros, tids, zeros, *times)


def served(*lengths: float, every: float) -> Case:
    """One thread that serves calls of some lengths, one given every few ms."""
    rows, free = [], 0.0
    for number, length in enumerate(lengths):
        begun = max(free, number * every)
        free = begun + length
        rows.append((number * every, begun, free, 0))
    made = trace().thread("main").waits(free, Reason.JOIN)
    built = made.thread("pool_0").sleeps(free).build()
    process = TaskProcess(built.threads[0].tid, ZERO_NS, built.end_ns, 0, 0, 0, 0, 0)
    tasks = TaskTrace((process,), jobs=jobs(*rows, tid=built.threads[1].tid))
    return case(built, recording=Recording(tasks=tasks))


def test_short_calls_behind_a_long_one_are_blocked_by_it() -> None:
    (said,) = ask(rule("head-of-line-blocking"), served(*[1.0] * 20, 200, *[1.0] * 60, every=4))
    assert said.severity is WARNING
    assert (said.evidence["calls"], said.evidence["long"]) == (81, 1)
    assert said.evidence["without_ns"] == 0
    # Those given first behind it wait longest: 196, 193, 190… ms, five of a hundred more than 184.
    assert said.evidence["waited_ns"] == 184 * MS


@pytest.mark.parametrize(
    "given",
    [
        served(*[1.0] * 20, 200, *[1.0] * 60, every=250),
        served(*[1.0] * 80, every=0.5),
        served(*[1.0] * 20, *[200] * 20, *[1.0] * 40, every=4),
        served(*[1.0] * 20, 200, *[1.0] * 80, every=0),
    ],
    ids=["nobody waits", "no call is long", "many are long", "all wait for each other"],
)
def test_other_waits_are_no_head_of_line_blocking(given: Case) -> None:
    assert severity("head-of-line-blocking", given) is OK


def sending(count: int, large_bytes: int, length: int = 1 << 20) -> Case:
    """A process that packs for half of its time, and sent one message so often."""
    packs = f"{LIB}/multiprocessing/reduction.py:51 in ForkingPickler.dumps < app.py:9 in give"
    made = trace().thread("main").running(500, at=packs).running(500, at="app.py:4 in work")
    made.process("worker", parent=0).thread("t").waits(1000, Reason.IDLE_WORKER)
    built = sampled(
        made.build(),
        "main",
        (f"{LIB}/multiprocessing/reduction.py:51 in x", 50),
        ("app.py:4 in work", 50),
    )
    (stack,) = np.unique(built.spans.stack[built.spans.stack != 0])[:1].tolist()
    again = (Repeated(0, length, 5, count, stack), Repeated(0, length, 6, 2, stack))
    return case(replace(built, messages=Messages(large_bytes, again)))


def test_what_is_sent_again_costs_its_share_of_sending() -> None:
    (said,) = ask(rule("repeated-payload"), sending(5, 8 << 20))
    assert said.severity is WARNING
    assert said.evidence["again_bytes"] == 4 << 20
    # Half of all bytes, and sending took half of the time.
    assert said.gain_ns == 250 * MS
    assert said.where == ("app.py:9 in give",)


@pytest.mark.parametrize(
    "given",
    [sending(2, 8 << 20), sending(5, 8 << 20, length=70_000), sending(5, 800 << 20)],
    ids=["twice", "less than a megabyte", "hardly any of what was sent"],
)
def test_few_small_or_cheap_repetitions_are_no_repeated_payload(given: Case) -> None:
    assert severity("repeated-payload", given) is OK


def two_places(often: tuple[int, int], seldom: tuple[int, int]) -> Case:
    """A lock that is taken in two places: (acquisitions, those that waited) of each."""
    made = trace().lock("L", "app.py:1 in <module>")
    made.thread("a").waits_lock(300, "L", by="b", at="app.py:5 in count").running(100)
    made.thread("b").waits_lock(100, "L", by="a", at="app.py:9 in report").sleeps(300)
    built = made.build()
    stacks = [int(built.spans.stack[one.first]) for one in built.threads]
    sites = tuple(LockSite(1, at, *use) for at, use in zip(stacks, (often, seldom), strict=True))
    return case(replace(built, sites=sites))


@pytest.mark.parametrize(
    ("often", "seldom", "expected"),
    [
        ((10_000, 100), (100, 80), WARNING),
        ((10_000, 100), (100, 15), INFO),
        ((10_000, 5000), (100, 55), OK),
        ((10_000, 100), (20, 20), OK),
    ],
)
def test_conflict_rates_of_two_places_that_lie_apart_are_asymmetric(
    often: tuple[int, int], seldom: tuple[int, int], expected: Severity
) -> None:
    given = two_places(often, seldom)
    (said,) = ask(rule("asymmetric-contention"), given)
    assert said.severity is expected
    if expected is not OK:
        assert said.where == ("app.py:9 in report", "app.py:5 in count")


def lost(how: LostIn, heard: int = 0, exit_code: int = 0, by: EndedBy = EndedBy.EXIT) -> Case:
    built = trace().thread("main").running(10).build()
    (process,) = built.processes
    ended = replace(process, exit_code=exit_code, ended_by=by)
    key = ProcessKey(process.pid, 1, "MainProcess", "main", ZERO_NS)
    frames = (
        Frame(Function(f"{LIB}/json/decoder.py", 330, "decode"), 337),
        Frame(Function("app.py", 3, "load"), 5),
    )
    one = LostException(how, key, ZERO_NS + 4 * MS, "loader", "ValueError: x", frames, 3, heard)
    return case(replace(built, processes=(ended,)), recording=Recording(lost=(one,)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lost(LostIn.THREAD), WARNING),
        (lost(LostIn.THREAD, exit_code=1), WARNING),
        (lost(LostIn.RESULT), WARNING),
        (lost(LostIn.RESULT, heard=1), INFO),
        (lost(LostIn.RESULT, exit_code=1), INFO),
        (lost(LostIn.RESULT, by=EndedBy.SIGNAL), INFO),
    ],
)
def test_what_nobody_heard_of_is_told_louder_than_what_somebody_could_guess(
    given: Case, expected: Severity
) -> None:
    (said,) = ask(rule("lost-exception"), given)
    assert said.severity is expected
    assert said.where == ("app.py:5 in load",)
    assert said.window_ns == (4 * MS, 4 * MS)
    assert said.evidence["count"] == 3


def test_threads_with_functions_of_their_own_are_no_crew() -> None:
    made = trace().thread("main").waits(1000, Reason.JOIN)
    made.thread("Thread-1 (count)").running(900).thread("Thread-2 (report)").span(State.SLEEP, 1000)
    assert case(made).crews == ()
    made.thread("Thread-3 (count)").running(100)
    (crew,) = case(made).crews
    assert [one.name for one in crew.threads] == ["Thread-1 (count)", "Thread-3 (count)"]
