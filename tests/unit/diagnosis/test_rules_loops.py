"""Rules about event loops, on steps whose answer is plain."""

from dataclasses import replace

import pytest

from concurtrace.model.recording import Recording
from concurtrace.model.report import Severity
from concurtrace.model.tasks import NOBODY, TaskTrace
from tests.builders_tasks import loop
from tests.builders_trace import ZERO_NS, TraceBuilder, trace
from tests.unit.analysis.test_task_steps import steps_of
from tests.unit.diagnosis.cases import case, severity

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
