"""The crawl by executors: the main thread keeps the books, and a pool fetches and parses.

What a pool needs beside the work is told to it when it starts: threads share a stock of
connections, each process opens one of its own.
"""

import queue
import signal
from collections import deque
from collections.abc import Callable
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from functools import cache, partial
from typing import Self

import requests

from concurtrace.workload import Work

from .fetch import fetch, open_session
from .frontier import START, Frontier
from .pages import WITH_SOUP, Page
from .table import Table

Submit = Callable[[str], "Future[Page]"]


def crawl_by_threads(work: Work, table: Table) -> None:
    """Let the threads of one executor visit the pages."""
    with Connections(work) as connections:
        if work.fault == "pool-per-url":
            visit_all(work, table, partial(submit_to_a_pool_of_its_own, work, connections))
            return
        with ThreadPoolExecutor(work.workers, thread_name_prefix="crawler") as pool:
            visit_all(work, table, lambda path: pool.submit(connections.visit, path))


def crawl_by_processes(work: Work, table: Table) -> None:
    """Let the processes of one executor visit the pages."""
    # The title as Beautiful Soup gives it belongs to its tree, which is pickled with it.
    parser = WITH_SOUP if work.fault == "soup-result" else work.text("parser")
    visit_one = partial(visit, work.services["site"], parser)
    with ProcessPoolExecutor(work.workers, initializer=leave_interrupts_to_the_parent) as pool:
        visit_all(work, table, lambda path: pool.submit(visit_one, path))


def visit_all(work: Work, table: Table, submit: Submit) -> None:
    """Submit a page for each worker; whenever one is done, enter it and submit the next."""
    frontier = Frontier()
    todo = deque([START])
    busy: set[Future[Page]] = set()
    while todo or busy:
        # No more than there are workers: after a failure nothing waits that would still be done.
        while todo and len(busy) < work.workers:
            busy.add(submit(todo.popleft()))
        done, busy = wait(busy, return_when=FIRST_COMPLETED)
        for future in done:
            page = future.result()
            table.write(page)
            todo.extend(frontier.new(page.links))


class Connections:
    """A session for each thread, in a stock from which a visit takes one and puts it back."""

    def __init__(self, work: Work) -> None:
        self.site, self.parser = work.services["site"], work.text("parser")
        # Last in, first out: the one that was used last is still connected.
        self.stock: queue.LifoQueue[requests.Session] = queue.LifoQueue()
        for _ in range(work.workers):
            self.stock.put(open_session())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        while not self.stock.empty():
            self.stock.get().close()

    def visit(self, path: str) -> Page:
        """Fetch a page and parse it: what each thread runs."""
        session = self.stock.get()
        try:
            return fetch(session, self.site, path, self.parser)
        finally:
            self.stock.put(session)


def submit_to_a_pool_of_its_own(work: Work, connections: Connections, path: str) -> "Future[Page]":
    """Open an executor for one page; its `with` block ends when that page is there."""
    with ThreadPoolExecutor(work.workers, thread_name_prefix="crawler") as pool:
        return pool.submit(connections.visit, path)


@cache
def own_session() -> requests.Session:
    """Open the session of this process when it is first asked for; it ends with the process."""
    return open_session()


def visit(site: str, parser: str, path: str) -> Page:
    """Fetch a page and parse it: what each process runs."""
    return fetch(own_session(), site, path, parser)


def leave_interrupts_to_the_parent() -> None:
    """Let a Ctrl-C, which reaches all processes, end this one when its parent says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
