"""The crawl by processes: each fetches and parses on a core of its own, for the price of a pipe."""

import contextlib
import multiprocessing
import traceback
from collections import deque
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Self, cast

from concurtrace.workload import Work

from .fetch import fetch, open_session
from .frontier import START, Frontier
from .pages import Page
from .table import Table


def crawl(work: Work, table: Table) -> None:
    """Hand pages out and take them in; frontier and table stay with this process, unshared."""
    frontier = Frontier()
    todo = deque([START])
    with Crew(work) as crew:
        crew.start()
        while todo or crew.busy:
            while todo and crew.idle:
                crew.send(todo.popleft())
            for page in crew.receive():
                table.write(page)
                todo.extend(frontier.new(page.links))


class Crew:
    """The worker processes, each at the other end of a pipe, one page at a time."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.workers: dict[Connection, multiprocessing.Process] = {}
        self.idle: deque[Connection] = deque()
        self.busy: list[Connection] = []

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Start the processes."""
        site, parser = self.work.services["site"], self.work.text("parser")
        for number in range(1, self.work.workers + 1):
            ours, theirs = multiprocessing.Pipe()
            worker = multiprocessing.Process(
                target=fetch_on_demand,
                args=(theirs, site, parser),
                name=f"crawler-{number}",
                daemon=True,  # none outlives this process, whatever happens to it
            )
            worker.start()
            # Only the worker may hold this end now, or its death would not end our recv().
            theirs.close()
            self.workers[ours] = worker
            self.idle.append(ours)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for pipe, worker in self.workers.items():
            if error is None:
                pipe.send(None)
            else:
                worker.terminate()
        for pipe, worker in self.workers.items():
            worker.join()
            pipe.close()

    def send(self, path: str) -> None:
        """Give a path to an idle worker."""
        pipe = self.idle.popleft()
        self.busy.append(pipe)
        try:
            pipe.send(path)
        except BrokenPipeError:
            raise self._ended(pipe) from None

    def receive(self) -> list[Page]:
        """Wait until a worker is done or more are; raise what was raised in one of them."""
        pages = []
        for pipe in cast("list[Connection]", wait(self.busy)):
            pages.append(self._answer(pipe))
            self.busy.remove(pipe)
            self.idle.append(pipe)
        return pages

    def _answer(self, pipe: Connection) -> Page:
        try:
            page, error, where = pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._ended(pipe) from None
        if error is not None:
            raise error from WorkerError(where)
        return cast("Page", page)

    def _ended(self, pipe: Connection) -> ChildProcessError:
        worker = self.workers[pipe]
        worker.join()
        return ChildProcessError(f"{worker.name} died at its work, exit code {worker.exitcode}")


class WorkerError(Exception):
    """Where something went wrong in a worker, as text: a traceback itself can't be pickled."""


def fetch_on_demand(pipe: Connection, site: str, parser: str) -> None:
    """Fetch each path that comes through the pipe, until None: what each process runs."""
    # The end of its parent, or a Ctrl-C that reaches both, ends it without words of its own.
    ends = (EOFError, ConnectionError, KeyboardInterrupt)
    with contextlib.suppress(*ends), pipe, open_session() as session:
        while (path := pipe.recv()) is not None:
            try:
                page = fetch(session, site, path, parser)
            except Exception as error:  # the parent raises it
                pipe.send((None, error, traceback.format_exc()))
            else:
                pipe.send((page, None, ""))
