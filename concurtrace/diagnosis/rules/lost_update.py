"""The result is wrong, or differs from run to run, where threads share what they write.

Two that read, change and write back the same thing at once lose one of the changes. The result of a
workload is compared with the declared one, and with that of its other runs.
"""

from collections.abc import Iterable

from concurtrace.analysis.daemons import cut_off
from concurtrace.diagnosis import Answer, Cause, Rule, fine, plural
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity

TOGETHER = 2
"""Threads that ran Python, or tasks: one alone loses nothing to others."""


def check(case: Case) -> Iterable[Answer]:
    """Compare the results of all runs with each other and with what was declared."""
    runs = [run for one in case.passes for run in one.executions if run.checksum is not None]
    results = {run.checksum for run in runs}
    wrong = [one.name for one in case.passes if one.verified is False]
    if not wrong and len(results) < TOGETHER:
        yield fine("No result was wrong.", runs=len(runs))
        return
    if cut_off(case.whole):
        yield fine("The result was wrong, and daemons were cut off: that may be why.")
        return
    threads = sum(one.runs_python for one in case.trace.threads)
    tasks = len(case.recording.tasks.tasks) if case.recording.tasks else 0
    if max(threads, tasks) < TOGETHER:
        yield fine("The result was wrong, but nothing was recorded that shared what it wrote.")
        return
    sharers = plural(threads, "thread") if threads >= TOGETHER else plural(tasks, "task")
    differs = f"{plural(len(runs), 'run')} came to {plural(len(results), 'different result')}"
    yield Answer(
        Severity.WARNING,
        f"The result is not the declared one: {sharers} may have overwritten each other's changes."
        if wrong
        else f"{differs}: {sharers} may have overwritten each other's changes.",
        f"Wrong in: {', '.join(wrong)}." if wrong else "",
        "Put what reads and writes back under one lock, or let one thread own the data and take"
        " changes from a queue; between tasks, await nothing between reading and writing back."
        " `concurtrace stress` shows the moment at which it goes wrong.",
        case.sampled(),
        evidence={"runs": len(runs), "results": len(results), "threads": threads, "tasks": tasks},
        gain_ns=case.wall_ns,
        cause=Cause.CODE,
        thing="lost update",
    )


RULE = Rule("lost-update", frozenset(), check)
