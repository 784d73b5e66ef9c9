"""What goes wrong between the crawler's threads when its locks are not where they belong."""

import threading

import requests

from concurtrace.workload import Work

from .fetch import fetch
from .in_threads import Crew, run
from .table import Table

PATIENCE_S = 5.0
"""How long a row is left half written for another to come, which with one worker none does."""


def crawl(work: Work, table: Table) -> None:
    """Let a crew crawl that makes the mistake of the fault."""
    run(CREWS[work.fault](work, table), work.workers)


class LockAroundGet(Crew):
    """Holds the lock while it waits at the queue, where only who gets the lock could put more."""

    def __init__(self, work: Work, table: Table) -> None:
        super().__init__(work, table)
        self.somebody_waits = threading.Event()
        if work.workers == 1:
            self.somebody_waits.set()

    def next(self) -> str | None:
        """Wait for a page with the lock held."""
        with self.shared:
            if self.todo.empty():
                self.somebody_waits.set()
            return self.todo.get()

    def visit(self, session: requests.Session, path: str) -> None:
        """Visit the first page when another thread waits for what it leads to."""
        # Sooner or later the queue is empty anyway; so it is at once, and every time.
        self.somebody_waits.wait()
        super().visit(session, path)


class CsvUnlocked(Crew):
    """Writes rows in two steps with no lock held."""

    def __init__(self, work: Work, table: Table) -> None:
        super().__init__(work, table)
        self.turn = threading.Lock()
        self.another_wrote = threading.Event()

    def visit(self, session: requests.Session, path: str) -> None:
        """Fetch a page and write its row, then enter what was found with the lock held."""
        page = fetch(session, self.site, path, self.parser)
        self.table.write_in_halves(page, self.come_between)
        with self.shared:
            new = self.frontier.new(page.links)
        for link in new:
            self.todo.put(link)

    def come_between(self) -> None:
        """Leave one row half written until another thread has written its own."""
        # The row of the first page is whole: no other thread has anything to write as yet.
        alone = len(self.frontier) == 1
        if not alone and self.turn.acquire(blocking=False):
            self.another_wrote.wait(PATIENCE_S)
        elif not alone:
            self.another_wrote.set()


class CheckThenAdd(Crew):
    """Asks whether a page was visited when it is found, and remembers it when it was visited."""

    def __init__(self, work: Work, table: Table) -> None:
        super().__init__(work, table)
        self.visited: set[str] = set()

    def visit(self, session: requests.Session, path: str) -> None:
        """Check and add with the lock held each time: between the two, others find it again."""
        page = fetch(session, self.site, path, self.parser)
        with self.shared:
            self.table.write(page)
            new = [link for link in page.links if link not in self.visited]
        for link in new:
            self.todo.put(link)
        with self.shared:
            # Too late: as every page links to itself, it has put itself into the queue again.
            self.visited.add(path)


CREWS = {
    "lock-around-get": LockAroundGet,
    "csv-unlocked": CsvUnlocked,
    "check-then-add": CheckThenAdd,
}
