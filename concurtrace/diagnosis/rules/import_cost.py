"""The program spends much of its time importing modules.

Imports run once per process, on one core, with the GIL held. A short program, or one that starts
many processes afresh, pays for them more than for its work.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.crew import import_stacks
from concurtrace.analysis.places import is_foreign_file
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import share_text, time_text

SHARE = Limits(0.3, 0.5)
"""Share of all samples of running threads that are inside of imports."""
FEWEST = 50
"""Samples: fewer can't tell the start of an interpreter from that of the program."""
LEAST_NS = 300_000_000
"""Imports that take less are nothing that anybody waits for."""


def check(case: Case) -> Iterable[Answer]:
    """Weigh the samples inside of imports against all others."""
    samples = case.trace.samples
    if samples is None or len(samples) < FEWEST:
        yield fine("Too few samples to tell what imports took.")
        return
    inside = import_stacks(case.trace.stacks)[samples.stack]
    whole = int(samples.weight_ns.sum())
    spent = int(samples.weight_ns[inside].sum())
    share = float(inside.mean())
    severity = SHARE.judge(share)
    if severity is Severity.OK or spent < LEAST_NS:
        yield fine("Imports took little of the time.", share=share)
        return
    tids = np.unique(samples.tid[inside])
    yield Answer(
        severity,
        f"{share_text(share)} of the time that threads ran was spent importing modules:"
        f" {time_text(spent)} in {plural(len(tids), 'thread')}.",
        f"All threads together ran for {time_text(whole)} where they were sampled.",
        "Import late what is seldom needed, leave heavy packages out, and keep processes alive"
        " rather than starting them afresh; `python -X importtime` names the modules.",
        _importers(case, samples.stack[inside]),
        evidence={"share": share, "import_ns": spent, "samples": len(samples)},
        gain_ns=min(spent, case.wall_ns),
        cause=Cause.START,
        thing="imports",
    )


def _importers(case: Case, rows: NDArray[np.uint32]) -> tuple[str, ...]:
    """Name the lines of the program itself whose imports took longest: the outermost of a stack."""
    counts: dict[str, int] = {}
    for stack, count in zip(*np.unique(rows, return_counts=True), strict=True):
        frames = case.trace.stacks.frames(int(stack))
        own = [one for one in frames if not is_foreign_file(one.function.file)]
        if own:
            place = f"{own[-1].function.file}:{own[-1].line} in {own[-1].function.name}"
            counts[place] = counts.get(place, 0) + int(count)
    return tuple(sorted(counts, key=lambda place: -counts[place])[:3])


RULE = Rule("import-cost", frozenset({Part.STATES}), check)
