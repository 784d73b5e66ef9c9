"""Whether one thread does many things at once, as an event loop lets it."""

from __future__ import annotations

import re

from concurtrace.analysis.crew import within
from concurtrace.diagnosis.case import Case
from concurtrace.model.recording import Function
from concurtrace.model.states import State
from concurtrace.recording.reasons import standard_module

_LOOPS = re.compile(r"/(?:gevent|twisted|eventlet|trio|curio|uvloop|tornado)/")
"""Packages of event loops; that of the standard library is told by its own name."""


def is_loop(case: Case) -> bool:
    """Tell whether what waits does so inside of an event loop."""
    spans, stacks = case.trace.spans, case.trace.stacks
    waits = spans.stack[spans.in_state(State.IO_WAIT, State.SLEEP, State.CONDITION_WAIT)]
    return bool(within(stacks, _runs_tasks)[waits].any())


def _runs_tasks(function: Function) -> bool:
    if function.name == "<module>":
        # To import a loop is not to run one.
        return False
    standard = standard_module(function.file)
    return standard == "asyncio/base_events" or _LOOPS.search(function.file) is not None
