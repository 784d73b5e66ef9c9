"""What the models of concurrency have in common, so that a workload can tell its lesson once.

``threading`` and ``multiprocessing`` offer the same primitives under the same names, and gevent
puts its own in their place. What remains is how workers are started and what memory they share.
"""

import contextlib
import multiprocessing
import queue
import threading
import traceback
from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any, cast

Job = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and what it is called with."""


@dataclass(frozen=True)
class Model:
    """A model of concurrency.

    ``primitives`` is the module with ``Lock``, ``Event``, ``Barrier`` and so on; ``queue(maxsize)``
    makes a queue that can be joined; ``numbers(n)`` makes n zeros that every worker sees;
    ``run(jobs, name)`` starts a worker for each job, waits for all of them and returns what they
    returned, in the order of the jobs. What one of them raises, ``run`` raises.
    """

    primitives: ModuleType
    queue: Callable[[int], Any]
    numbers: Callable[[int], MutableSequence[int]]
    run: Callable[[Sequence[Job], str], list[Any]]


def run_threads(jobs: Sequence[Job], name: str) -> list[Any]:
    """Run each job in a thread of its own."""
    results: dict[int, Any] = {}
    errors: list[Exception] = []

    def work(number: int, job: Job) -> None:
        function, arguments = job
        try:
            results[number] = function(*arguments)
        except Exception as error:  # run_threads raises it, where somebody waits for the result
            errors.append(error)

    crew = [
        threading.Thread(target=work, args=(number, job), name=f"{name}-{number}")
        for number, job in enumerate(jobs, 1)
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    if errors:
        raise errors[0]
    return [results[number] for number in range(1, len(jobs) + 1)]


def run_processes(jobs: Sequence[Job], name: str, *, daemon: bool = False) -> list[Any]:
    """Run each job in a process of its own, whose result comes back through a pipe."""
    crew: dict[Connection, multiprocessing.Process] = {}
    results: dict[Connection, Any] = {}
    try:
        for number, job in enumerate(jobs, 1):
            ours, theirs = multiprocessing.Pipe(duplex=False)
            process = multiprocessing.Process(
                target=_send_result, args=(theirs, job), name=f"{name}-{number}", daemon=daemon
            )
            process.start()
            # Only the worker may hold this end now, or its death would not end our recv().
            theirs.close()
            crew[ours] = process
        while len(results) < len(crew):
            for pipe in wait([one for one in crew if one not in results]):
                ours = cast("Connection", pipe)
                results[ours] = _receive(ours, crew[ours])
    except BaseException:
        for process in crew.values():
            process.terminate()
        raise
    finally:
        for pipe, process in crew.items():
            process.join()
            pipe.close()
    return [results[pipe] for pipe in crew]


class RemoteError(Exception):
    """What a worker process said about its failure."""


def _send_result(pipe: Connection, job: Job) -> None:
    # The end of its parent, or a Ctrl-C that reaches both, ends it without words of its own.
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError), pipe:
        function, arguments = job
        answer: tuple[Any, Exception | None, str]
        try:
            answer = function(*arguments), None, ""
        except Exception as error:  # the parent raises it
            # A traceback can't be pickled; without its text the parent would not know where.
            answer = None, error, traceback.format_exc()
        pipe.send(answer)


def _receive(pipe: Connection, process: multiprocessing.Process) -> Any:
    try:
        result, failure, where = pipe.recv()
    except EOFError:
        process.join()
        raise ChildProcessError(
            f"{process.name} ended without a result, exit code {process.exitcode}"
        ) from None
    if failure is not None:
        raise failure from RemoteError(f"in {process.name}\n{where}")
    return result


def run_greenlets(jobs: Sequence[Job], name: str) -> list[Any]:
    """Run each job in a greenlet of its own."""
    import gevent

    crew = [gevent.spawn(function, *arguments) for function, arguments in jobs]
    for number, greenlet in enumerate(crew, 1):
        greenlet.name = f"{name}-{number}"
    gevent.joinall(crew, raise_error=True)
    return [greenlet.value for greenlet in crew]


def _zeros(count: int) -> MutableSequence[int]:
    return [0] * count


def _shared_zeros(count: int) -> MutableSequence[int]:
    return cast("MutableSequence[int]", multiprocessing.RawArray("q", count))


THREADS = Model(threading, queue.Queue, _zeros, run_threads)
PROCESSES = Model(multiprocessing, multiprocessing.JoinableQueue, _shared_zeros, run_processes)
GREENLETS = Model(threading, queue.Queue, _zeros, run_greenlets)
"""gevent, once it has patched ``threading``: see the modes that say ``before``."""
GEVENT = "gevent.monkey:patch_all"
"""What has to happen before anything else is imported in a gevent mode."""
