"""The crawl by Twisted: a reactor calls back when an answer is there, and waits for all at once.

The coroutines below look like those of asyncio; what they await are Deferreds, the promises that
Twisted had long before. Parsing is done between two turns of the reactor, which stands still so
long.
"""

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.python.failure import Failure

from concurtrace.workload import Work

from .._agent import FAILURES, Client
from .._reactor import run
from .frontier import START, Frontier
from .pages import TIMEOUT_S, FetchError, Page, read_page
from .table import Table


def crawl(work: Work, table: Table) -> None:
    """Run the reactor until every page is done."""
    run(Crew(work, table).crawl)


class Crew:
    """What the visits share; no lock, because only an ``await`` lets another one come between."""

    def __init__(self, work: Work, table: Table) -> None:
        self.site, self.parser = work.services["site"], work.text("parser")
        self.table = table
        self.frontier = Frontier()
        # It serves those who wait in turn, so pages are still fetched in the order found.
        self.limit = DeferredSemaphore(work.workers)
        self.client = Client(work.workers)
        self.under_way: set[Deferred[None]] = set()
        self.done: Deferred[None] = Deferred()

    async def crawl(self) -> None:
        """Visit the first page and all that it leads to; after a failure, stop the others."""
        try:
            self.found([START])
            await self.done
        finally:
            for visit in list(self.under_way):
                visit.cancel()
            await self.client.close()

    def found(self, paths: list[str]) -> None:
        """Start a visit to each page."""
        for path in paths:
            visit = Deferred.fromCoroutine(self.visit(path))
            self.under_way.add(visit)
            visit.addBoth(self.leave, visit)

    def leave(self, answer: Failure | None, visit: "Deferred[None]") -> None:
        """Note that a visit is over; the first failure, or the last visit, ends the crawl."""
        self.under_way.remove(visit)
        if self.done.called:
            return
        if isinstance(answer, Failure):
            self.done.errback(answer)
        elif not self.under_way:
            self.done.callback(None)

    async def visit(self, path: str) -> None:
        """Fetch a page, write its row, and start what it leads to."""
        async with self.limit:
            page = await self.fetch(path)
        self.table.write(page)
        self.found(self.frontier.new(page.links))

    async def fetch(self, path: str) -> Page:
        """Download a page and parse it; FetchError if there is no answer."""
        url = self.site + path
        try:
            answer = await self.client.get(url, TIMEOUT_S)
        except FAILURES as failure:
            raise FetchError(url, str(failure)) from failure
        return read_page(path, *answer, self.parser)
