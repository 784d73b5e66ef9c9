"""The crawl by threads: while some wait for the site, another one parses."""

import queue
import threading

import requests

from concurtrace.workload import Work

from .fetch import fetch, open_session
from .frontier import START, Frontier
from .table import Table


def crawl(work: Work, table: Table) -> None:
    """Let a crew of threads crawl."""
    run(Crew(work, table), work.workers)


def run(crew: "Crew", workers: int) -> None:
    """Start the threads, wait until every page is done, and see them off."""
    threads = [
        threading.Thread(target=crew.work_off, name=f"crawler-{number}")
        for number in range(1, workers + 1)
    ]
    try:
        for thread in threads:
            thread.start()
        crew.todo.join()
    except BaseException as error:
        crew.failure = error
        raise
    finally:
        for _ in threads:
            crew.todo.put(None)
        for thread in threads:
            if thread.ident is not None:  # else a Ctrl-C came before it was started
                thread.join()
    if crew.failure is not None:
        raise crew.failure


class Crew:
    """What the threads share: a queue, which is safe by itself, and two things under a lock."""

    def __init__(self, work: Work, table: Table) -> None:
        self.site, self.parser = work.services["site"], work.text("parser")
        self.todo: queue.Queue[str | None] = queue.Queue()
        self.todo.put(START)
        self.shared = threading.Lock()
        self.frontier = Frontier()
        self.table = table
        self.failure: BaseException | None = None

    def work_off(self) -> None:
        """Visit pages until None comes; after a failure, take the rest off the queue unvisited."""
        with open_session() as session:
            while (path := self.next()) is not None:
                try:
                    if self.failure is None:
                        self.visit(session, path)
                except Exception as error:  # the main thread raises it
                    self.failure = error
                finally:
                    # Only now, with its links in the queue, is the page done: join() counts these.
                    self.todo.task_done()

    def next(self) -> str | None:
        """Wait for a page; the queue gives each to one thread, without a lock of ours."""
        return self.todo.get()

    def visit(self, session: requests.Session, path: str) -> None:
        """Fetch a page with nothing held, then enter what was found with the lock held."""
        page = fetch(session, self.site, path, self.parser)
        with self.shared:
            self.table.write(page)
            new = self.frontier.new(page.links)
        for link in new:
            self.todo.put(link)
