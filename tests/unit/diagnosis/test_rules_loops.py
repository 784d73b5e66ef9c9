"""Rules about event loops, on steps whose answer is plain."""

from dataclasses import replace

import pytest

from concurtrace.diagnosis.case import Case
from concurtrace.model.recording import Recording
from concurtrace.model.report import Severity
from concurtrace.model.tasks import NOBODY, TaskTrace
from tests.builders_tasks import loop
from tests.builders_trace import ZERO_NS, TraceBuilder, trace
from tests.unit.analysis.test_task_steps import steps_of
from tests.unit.diagnosis.cases import case, severity
from tests.unit.diagnosis.test_rules_told import jobs

AT_WORK = trace().thread("MainThread").running(200)
WITHOUT_CORE = trace().thread("MainThread").running(20).ready(170).running(10)


@pytest.mark.parametrize(
    ("made", "expected"), [(AT_WORK, Severity.INFO), (WITHOUT_CORE, Severity.OK)]
)
def test_a_step_that_only_had_no_core_blocks_no_loop(
    made: TraceBuilder, expected: Severity
) -> None:
    built = made.build()
    steps = steps_of((0, 200, False))
    callback = replace(steps, task=steps.task * 0 + NOBODY)
    tasks = TaskTrace(loops=(loop(ZERO_NS, built.threads[0].tid),), steps=callback)
    given = case(built, recording=Recording(tasks=tasks))
    assert severity("blocked-event-loop", given) is expected


def of_an_executor(made: TraceBuilder) -> Case:
    """Ten calls given at once to one thread, 20 ms each."""
    built = made.build()
    calls = jobs(*((0, 20 * n, 20 * n + 20, 0) for n in range(10)), tid=built.threads[0].tid)
    tasks = TaskTrace(loops=(loop(ZERO_NS, 7),), jobs=replace(calls, task=calls.task * 0))
    return case(built, recording=Recording(tasks=tasks))


def test_calls_that_wait_want_more_threads_and_calls_that_compute_do_not() -> None:
    name = "ThreadPoolExecutor-0_0"
    waiting = trace().thread(name).sleeps(190).running(10)
    computing = trace().thread(name).running(100).waits_gil(60).io(40)
    assert severity("executor-saturation", of_an_executor(waiting)) is Severity.WARNING
    assert severity("executor-saturation", of_an_executor(computing)) is Severity.OK
