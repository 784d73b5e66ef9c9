"""Which predictions a run and its findings get."""

from __future__ import annotations

from concurtrace.diagnosis import Answer, Cause
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.prediction.chunks import predict_chunks
from concurtrace.diagnosis.prediction.free_threaded import predict_free_threaded
from concurtrace.diagnosis.prediction.locks import predict_outside, predict_without
from concurtrace.diagnosis.prediction.one_loop import predict_one_loop
from concurtrace.diagnosis.prediction.processes import predict_processes
from concurtrace.diagnosis.prediction.start_method import (
    predict_fork,
    predict_forkserver,
    predict_spawn,
)
from concurtrace.diagnosis.prediction.threads import predict_threads
from concurtrace.diagnosis.prediction.workers import predict_workers
from concurtrace.model.report import Prediction

_OF_A_RUN = (
    predict_processes,
    predict_threads,
    predict_one_loop,
    predict_free_threaded,
    predict_fork,
    predict_forkserver,
    predict_spawn,
)


def predictions(case: Case) -> tuple[Prediction, ...]:
    """Predict the run in every other model of concurrency that it can be replayed in."""
    return tuple(found for one in _OF_A_RUN if (found := one(case)) is not None)


def prediction_for(case: Case, rule: str, answer: Answer) -> Prediction | None:
    """Predict what the remedy of a finding would bring; None where no replay can tell."""
    match answer.cause:
        case Cause.GIL:
            return predict_processes(case)
        case Cause.LOCK:
            lock = next((one for one in case.locks if one.name == answer.thing), None)
            if lock is None:
                return None
            kept = rule == "lock-held-across-io"
            return predict_outside(case, lock) if kept else predict_without(case, lock)
        case Cause.POOL:
            better = answer.evidence.get("better")
            crew = next((one for one in case.crews if one.name == answer.thing), None)
            if crew is None or not isinstance(better, int):
                return None
            return predict_workers(case, crew.rows, better)
        case Cause.IO:
            return predict_threads(case)
        case Cause.START:
            return predict_fork(case)
        case Cause.IPC:
            share = answer.evidence.get("packing", answer.evidence.get("share"))
            return predict_chunks(case, share) if isinstance(share, float) else None
        case _:
            return None
