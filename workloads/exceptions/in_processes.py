"""Processes with a pipe, through which the type, the words and the traceback's text come."""

import multiprocessing
import traceback
from multiprocessing.connection import Connection

from concurtrace.workload import Record, Work

from .question import NAME, check, good, last_function, share


def told_by_pipe(work: Work) -> list[Record]:
    """Let each process send what it found through a pipe of its own."""
    crew, pipes = [], []
    for part in range(work.workers):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(
            target=check_and_send, args=(work, part, theirs), name=f"{NAME}-{part + 1}"
        )
        process.start()
        theirs.close()
        crew.append(process)
        pipes.append(ours)
    records = [record for pipe in pipes for record in received(pipe)]
    for process in crew:
        process.join()
    return records


def check_and_send(work: Work, part: int, pipe: Connection) -> None:
    """Send answers and exceptions through a pipe; a traceback can't be pickled, its text can."""
    with pipe:
        for index in share(work, part):
            try:
                pipe.send(good(index, check(work, index)))
            except (TypeError, ValueError) as error:
                if work.fault == "lost":
                    raise
                where = last_function(traceback.format_exc())
                pipe.send((index, type(error).__name__, str(error), where))


def received(pipe: Connection) -> list[Record]:
    """Receive until the other end is closed."""
    records: list[Record] = []
    with pipe:
        while True:
            try:
                records.append(pipe.recv())
            except EOFError:
                return records
