"""What the report tells of states, cores and peaks."""

from dataclasses import replace

import numpy as np
import pytest

from concurtrace.analysis.core_use import core_use, peak
from concurtrace.analysis.states import states_report, unknown_share
from concurtrace.model.run import Execution, Pass, PassStatus
from concurtrace.model.spans import CoreReadings
from concurtrace.model.states import Reason, State
from tests.builders_trace import MS, ZERO_NS, trace

LIGHT = Pass("light", ("states",), PassStatus.OK, executions=(Execution(1, 1, ZERO_NS, 0),))


def test_every_thread_is_told_from_the_start_of_the_run() -> None:
    made = trace().thread("main").running(10).io(90).thread("w", start=20).sleeps(50).build()
    (process,) = states_report(made, LIGHT).processes
    main, worker = process.threads
    assert main.states == {State.RUNNING: 10 * MS, State.IO_WAIT: 90 * MS}
    assert (worker.name, worker.start_ns, worker.end_ns) == ("w", 20 * MS, 70 * MS)
    assert sum(process.states.values()) == 150 * MS


def test_waits_of_an_idle_worker_are_counted_apart() -> None:
    made = trace().thread("w").running(10).waits(70, Reason.IDLE_WORKER).sleeps(5).build()
    (process,) = states_report(made, LIGHT).processes
    assert process.threads[0].idle_ns == 70 * MS


def test_cores_tell_who_ran_longest_first() -> None:
    made = (
        trace()
        .thread("a").running(60, core=0).io(20).running(20, core=1)
        .thread("b").running(40, core=1).io(60)
        .build()
    )  # fmt: skip
    cores = core_use(made)
    assert cores is not None
    assert [core.target for core in cores] == pytest.approx([0.6, 0.6])
    assert [[user.name for user in core.ran] for core in cores] == [["a"], ["b", "a"]]


def test_without_switch_records_nobody_knows_who_ran_where() -> None:
    assert core_use(trace().thread("a").running(10).build()) is None


def test_counters_tell_who_ran_where_nothing_better_does() -> None:
    made = trace().thread("a").running(60).io(40).build()
    tid = made.threads[0].tid
    readings = CoreReadings(
        np.array([0, 50, 100], np.int64) * MS + ZERO_NS,
        np.full(3, tid, np.uint32),
        np.array([0, 1, 1], np.int16),
        np.array([5, 45, 60], np.int64) * MS,
        np.zeros(3, np.int64),
    )
    (core,) = core_use(replace(made, readings=readings)) or ()
    assert (core.core, core.ran[0].name, core.ran[0].ns) == (1, "a", 55 * MS)


def test_peak_counts_what_lives_at_one_moment() -> None:
    assert peak([(0, 10), (5, 15), (10, 20), (12, 13)]) == 3
    assert peak([]) == 0


def test_the_unknown_share_is_that_of_the_worst_long_thread() -> None:
    made = (
        trace()
        .thread("a").running(190).unknown(10)
        .thread("b").running(10).unknown(10)
        .build()
    )  # fmt: skip
    assert unknown_share(made) == pytest.approx(0.05)
