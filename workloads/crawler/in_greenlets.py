"""The crawl by greenlets: code as for threads, and one thread that runs it all.

gevent has put sockets of its own in the place of those that block: who waits for the site lets
another greenlet run. None is interrupted elsewhere, so what they share needs no lock.
"""

import requests
from gevent.event import AsyncResult
from gevent.pool import Group
from gevent.queue import JoinableQueue

from concurtrace.workload import Work

from .fetch import fetch, open_session
from .frontier import START, Frontier
from .table import Table


def crawl(work: Work, table: Table) -> None:
    """Spawn the greenlets, wait until every page is done or one failed, and end them."""
    crew = Crew(work, table)
    greenlets = Group()
    for number in range(1, work.workers + 1):
        greenlets.spawn(crew.work_off).name = f"crawler-{number}"
    greenlets.spawn(crew.wait_for_the_end).name = "bookkeeper"
    try:
        crew.ended.get()
    finally:
        greenlets.kill()


class Crew:
    """What the greenlets share."""

    def __init__(self, work: Work, table: Table) -> None:
        self.site, self.parser = work.services["site"], work.text("parser")
        self.todo = JoinableQueue()
        self.todo.put(START)
        self.frontier = Frontier()
        self.table = table
        self.ended = AsyncResult()

    def wait_for_the_end(self) -> None:
        """Wait until no page is left, in the queue or in somebody's hands."""
        self.todo.join()
        self.ended.set()

    def work_off(self) -> None:
        """Visit pages until this greenlet is killed, or something fails, which ends the crawl."""
        with open_session() as session:
            try:
                while True:
                    self.visit(session, self.todo.get())
                    self.todo.task_done()
            except (Exception, KeyboardInterrupt) as error:  # the main greenlet raises it
                self.ended.set_exception(error)

    def visit(self, session: requests.Session, path: str) -> None:
        """Fetch a page, write its row, and put what it leads to into the queue."""
        page = fetch(session, self.site, path, self.parser)
        self.table.write(page)
        for link in self.frontier.new(page.links):
            self.todo.put(link)
