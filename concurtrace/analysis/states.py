"""The states of every thread and process, as the report tells them."""

import numpy as np

from concurtrace.analysis.core_use import core_use, peak
from concurtrace.analysis.gil import gil_totals
from concurtrace.analysis.line_states import line_states
from concurtrace.analysis.lock_order import lock_steps
from concurtrace.analysis.locks import lock_table
from concurtrace.analysis.processes import processes_report
from concurtrace.model.report import ProcessReport, StatesReport, ThreadReport
from concurtrace.model.run import Pass
from concurtrace.model.spans import Times
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import EndedBy, Process, Thread, Trace

LONG_LIFE_NS = 100_000_000
"""Threads that live less have a residual made of single microseconds, which says nothing."""


def states_report(trace: Trace, recorded_by: Pass) -> StatesReport:
    """Work out what there is to tell of a trace that a pass recorded."""
    idle = _idle_ns(trace)
    totals = [total for thread in trace.threads for total in thread.totals.values()]
    return StatesReport(
        pass_name=recorded_by.name,
        wall_ns=trace.wall_ns,
        origin=trace.origin,
        cores_from=trace.core_source,
        processes=tuple(_process(trace, one, idle, recorded_by) for one in trace.processes),
        gil=gil_totals(trace),
        locks=lock_table(trace),
        cores=core_use(trace),
        peak_threads=peak((one.start_ns, one.end_ns) for one in trace.threads),
        peak_processes=peak((one.start_ns, one.end_ns) for one in trace.processes),
        unknown_share=unknown_share(trace),
        folded_spans=sum(total.folded_count for total in totals),
        folded_ns=sum(total.folded_ns for total in totals),
        min_span_ns=trace.min_span_ns,
        costs=processes_report(trace),
        lock_order=lock_steps(trace),
        lines=line_states(trace),
    )


def unknown_share(trace: Trace) -> float:
    """Return the largest share of UNKNOWN in the life of any thread that is not short."""
    shares = [
        thread.ns(State.UNKNOWN) / thread.lifetime_ns
        for thread in trace.threads
        if thread.lifetime_ns > LONG_LIFE_NS
    ]
    return max(shares, default=0.0)


def _idle_ns(trace: Trace) -> Times:
    """Add up for every thread the waits of a worker without work."""
    idle = trace.spans.reason == Reason.IDLE_WORKER.code
    rows, times = trace.span_threads[idle], trace.spans.dur_ns[idle]
    sums: Times = np.bincount(rows, times, len(trace.threads)).astype(np.int64)
    return sums


def _process(trace: Trace, one: Process, idle: Times, recorded_by: Pass) -> ProcessReport:
    ended_by, exit_code = one.ended_words, one.exit_code
    run = next(iter(recorded_by.executions), None)
    if one.parent is None and one.ended_by is EndedBy.UNKNOWN and run is not None:
        # Nobody in the target waited for its first process: the launcher did.
        exit_code = run.exit_code
        ended_by = "exit" if run.exit_code is not None else f"signal {run.signal}"
    rows = range(one.first, one.last)
    threads = tuple(_thread(trace.threads[row], trace.start_ns, int(idle[row])) for row in rows)
    used = [thread.cpu_ns for thread in threads]
    return ProcessReport(
        pid=one.pid,
        parent_pid=one.parent_pid,
        name=one.name,
        started_by=one.started_by,
        start_ns=one.start_ns - trace.start_ns,
        end_ns=one.end_ns - trace.start_ns,
        ended_by=ended_by,
        exit_code=exit_code,
        command=one.command,
        cpu_ns=sum(ns or 0 for ns in used) if used and None not in used else None,
        threads=threads,
    )


def _thread(one: Thread, zero_ns: int, idle_ns: int) -> ThreadReport:
    return ThreadReport(
        tid=one.tid,
        name=one.name,
        start_ns=one.start_ns - zero_ns,
        end_ns=one.end_ns - zero_ns,
        states={state: total.ns for state, total in one.totals.items()},
        gil=one.gil,
        cpu_ns=one.cpu_ns,
        idle_ns=idle_ns,
    )
