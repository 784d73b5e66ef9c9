"""Threads, whose exceptions nobody gets unless they are passed on; futures keep them."""

import queue
import sys
import threading
from concurrent.futures import Executor

from concurtrace.workload import Record, Work

from .question import NAME, bad, check, good, share


def told_by_queue(work: Work) -> list[Record]:
    """Let threads put what they found on a queue, also what they caught."""
    said: queue.SimpleQueue[Record] = queue.SimpleQueue()
    report = check_and_put if work.fault == "lost" else check_and_report
    crew = [
        threading.Thread(target=report, args=(work, part, said), name=f"{NAME}-{part + 1}")
        for part in range(work.workers)
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return [said.get() for _ in range(said.qsize())]


def check_and_report(work: Work, part: int, said: "queue.SimpleQueue[Record]") -> None:
    """Put answers and exceptions on a queue."""
    for index in share(work, part):
        try:
            said.put(good(index, check(work, index)))
        except (TypeError, ValueError):
            _, error, _ = sys.exc_info()
            if error is not None:
                said.put(bad(index, error))


def check_and_put(work: Work, part: int, said: "queue.SimpleQueue[Record]") -> None:
    """Put answers on a queue; the first exception ends the thread."""
    for index in share(work, part):
        said.put(good(index, check(work, index)))


def told_to_the_hook(work: Work) -> list[Record]:
    """Run each task in a thread of its own; `threading.excepthook` hears of those that fail."""
    records: list[Record] = []

    def task(index: int) -> None:
        records.append(good(index, check(work, index)))

    def hook(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None and failed.thread is not None:
            records.append(bad(int(failed.thread.name.partition("-")[2]), failed.exc_value))

    before, threading.excepthook = threading.excepthook, hook
    try:
        for start in range(0, work.size, work.workers):
            batch = [
                threading.Thread(target=task, args=(index,), name=f"{NAME}-{index}")
                for index in range(start, min(start + work.workers, work.size))
            ]
            for thread in batch:
                thread.start()
            for thread in batch:
                thread.join()
    finally:
        threading.excepthook = before
    return records


def ask_futures(crew: Executor, work: Work) -> list[Record]:
    """Ask every future for its exception, then for its result."""
    futures = [crew.submit(check, work, index) for index in range(work.size)]
    records: list[Record] = []
    for index, future in enumerate(futures):
        error = future.exception()
        if error is None:
            records.append(good(index, future.result()))
        elif isinstance(error, TypeError | ValueError):
            records.append(bad(index, error))
        else:
            raise error
    return records
