"""The same results without futures: one call after the other."""

from concurrent.futures import Future

from concurtrace.workload import Record, Work

from .tasks import (
    CALLBACKS,
    CANCELLED,
    TaskError,
    answer,
    fails,
    is_cancelled,
    number,
    said,
    tasks_of,
)


def answer_all(work: Work) -> list[Record]:
    """Do the tasks in turn, as far as the variant has something to do."""
    if work.variant == "cancel":
        return [
            (task.index, CANCELLED) if is_cancelled(task.index) else answer(task)
            for task in tasks_of(work)
        ]
    if work.variant == "callback":
        return [(*answer(task), CALLBACKS) for task in tasks_of(work)]
    if work.variant == "stub":
        return [asked(filled(work, index), index) for index in range(work.size)]
    return [answer(task) for task in tasks_of(work)]


def filled(work: Work, index: int) -> "Future[int]":
    """Make a future that is done, as a test does that has no executor."""
    stub: Future[int] = Future()
    fill(stub, work, index)
    return stub


def fill(stub: "Future[int]", work: Work, index: int) -> None:
    """Put a number or an exception into a future."""
    if fails(index):
        stub.set_exception(TaskError(said(index)))
    else:
        stub.set_result(number(work.seed, index))


def asked(stub: "Future[int]", index: int) -> Record:
    """Ask a future for its result: what is tested with a stub."""
    try:
        return (index, stub.result())
    except TaskError as error:
        return (index, str(error))
