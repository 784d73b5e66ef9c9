"""More threads of the target want a core than there are cores.

Some more than cores do no harm: the kernel shares the cores out, and the work takes as long. Many
more cost memory, cache and switches, and make every single piece of work late.
"""

from collections.abc import Iterable

import numpy as np

from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.model.states import State
from concurtrace.units import share_text, significant, time_text

PER_CORE = Limits(2.5, 4.0)
"""Threads per core, on average while there were more than cores. Twice as many is what programs
that also wait are set up with; from four on a thread is off its core for three of four slices."""
READY = 0.25
"""Share of the time wanted on a core that was spent waiting for one: below, nobody is late."""
LASTING = 0.1
"""Share of the run with more threads than cores: below, it is a start or an end."""


def check(case: Case) -> Iterable[Answer]:
    """Count how many threads of the target were at work or ready at once."""
    times = case.concurrency.ready_ns
    many = np.arange(len(times))
    over = many > case.cores
    over_ns = int(times[over].sum())
    share = 1 - case.availability
    if over_ns < LASTING * case.wall_ns or share < READY:
        yield fine("There were cores for all threads that wanted one.", ready_share=share)
        return
    mean = float((times * many)[over].sum()) / over_ns
    severity = PER_CORE.judge(mean / case.cores)
    if severity is Severity.OK:
        yield fine(
            f"{significant(mean)} threads shared {case.cores:g} cores, which does no harm.",
            ready_share=share,
        )
        return
    yield Answer(
        severity,
        f"On average {significant(mean)} threads of the target wanted a core where there are"
        f" {case.cores:g}; they were ready without one for {time_text(case.ready_ns)}.",
        f"That is {share_text(share)} of the time that they wanted to run.",
        "Use as many workers as cores; where workers call NumPy or other parallel libraries, set"
        " OMP_NUM_THREADS=1 in them.",
        case.sampled(),
        case.window(case.select(State.RUNNABLE)),
        {"threads": mean, "cores": case.cores, "ready_ns": case.ready_ns, "ready_share": share},
        cause=Cause.CORES,
        thing="too many",
    )


RULE = Rule("oversubscription", frozenset({Part.STATES, Part.READY}), check)
