"""Measure the diagnosis of ten million spans: time and memory.

``python -m benchmarks.diagnosis [MILLIONS]``. The trace is made up: eight threads in one process
that compute, wait for the GIL, for two locks and for peers, each wait ended by another thread.
"""

import resource
import sys
import time

import numpy as np

from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import judge
from concurtrace.model.recording import Recording
from concurtrace.model.spans import Spans
from concurtrace.model.states import State
from concurtrace.model.trace import (
    EndedBy,
    GilUse,
    ObjectKind,
    Process,
    StateTotal,
    Thread,
    Trace,
    WaitObject,
)

THREADS = 8
STATES = (State.RUNNING, State.GIL_WAIT, State.RUNNING_NOGIL, State.LOCK_WAIT, State.IO_WAIT)
MOST_SECONDS, MOST_BYTES = 10.0, 1 << 30


def made_up(count: int) -> Trace:
    """Make a trace of ``count`` spans."""
    random = np.random.default_rng(7)
    each = count // THREADS
    threads, parts = [], []
    for number in range(THREADS):
        lengths = random.integers(1_000, 20_000, each)
        ends = np.cumsum(lengths)
        states = np.array([one.code for one in STATES], np.uint8)[np.arange(each) % len(STATES)]
        waits = states == State.LOCK_WAIT.code
        wakers = np.where(waits, 100 + (number + 1) % THREADS, 0)
        flags = np.where(states == State.RUNNING.code, 8, 0)
        parts.append(
            Spans(
                start_ns=ends - lengths,
                end_ns=ends,
                state=states,
                reason=np.zeros(each, np.uint8),
                flags=flags.astype(np.uint8),
                core=np.full(each, -1, np.int16),
                waker=wakers.astype(np.uint32),
                stack=np.zeros(each, np.uint32),
                object=np.where(waits, 1 + number % 2, 0).astype(np.uint32),
            )
        )
        totals = {
            state: StateTotal(int(lengths[states == state.code].sum()), each // len(STATES))
            for state in STATES
        }
        held = totals[State.RUNNING].ns
        threads.append(
            Thread(
                100 + number,
                0,
                f"worker-{number}",
                0,
                int(ends[-1]),
                number * each,
                (number + 1) * each,
                totals,
                GilUse(held_ns=held),
                is_main=number == 0,
            )
        )
    end = max(one.end_ns for one in threads)
    process = Process(
        100, 1, None, "MainProcess", "main", 0, end, EndedBy.EXIT, 0, None, (), 0, THREADS
    )
    locks = tuple(
        WaitObject(ObjectKind.LOCK, 0, key, acquisitions=each, hold_ns=end) for key in (1, 2)
    )
    nothing = WaitObject(ObjectKind.OTHER, 0, 0)
    spans = Spans.joined(parts)
    return Trace((process,), tuple(threads), spans, 0, end, objects=(nothing, *locks))


def main() -> int:
    """Measure, print, and say by the exit code whether the goals were met."""
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    trace = made_up(round(millions * 1e6))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    begin, cpu = time.perf_counter(), time.process_time()
    diagnosis = judge(Case(Recording(trace=trace)))
    took, used = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    failed = [one.rule for one in diagnosis.findings if one.severity == "failed"]
    print(f"{len(trace.spans):,} spans: {took:.2f} s wall, {used:.2f} s CPU")
    print(f"memory {before / 2**20:.0f} MiB with the trace, {peak / 2**20:.0f} MiB at most")
    print(f"first: {diagnosis.verdict.partition('. ')[0]}; failed rules: {failed or 'none'}")
    return int(bool(failed) or (millions >= 10 and (used > MOST_SECONDS or peak > MOST_BYTES)))


if __name__ == "__main__":
    sys.exit(main())
