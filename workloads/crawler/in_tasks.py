"""The crawl by coroutines: one task per page, all in one thread, which an event loop runs.

A task that waits for the site costs next to nothing, so there may be one for every page found; a
semaphore bounds how many ask the site at once. Parsing does not wait: while one task parses, the
loop and all other tasks stand still.
"""

import asyncio

import aiohttp

from concurtrace.workload import Work

from .frontier import START, Frontier
from .pages import TIMEOUT_S, FetchError, Page, read_page
from .table import Table


def crawl(work: Work, table: Table) -> None:
    """Run an event loop until every page is done."""
    asyncio.run(_crawl(work, table))


async def _crawl(work: Work, table: Table) -> None:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with asyncio.TaskGroup() as tasks:
                Crew(work, table, session, tasks).found([START])
        except ExceptionGroup as failures:
            # The first failure cancelled the other tasks; it alone says what went wrong.
            raise failures.exceptions[0] from None


class Crew:
    """What the tasks share; no lock, because only an ``await`` lets another task come between."""

    def __init__(
        self, work: Work, table: Table, session: aiohttp.ClientSession, tasks: asyncio.TaskGroup
    ) -> None:
        self.site, self.parser = work.services["site"], work.text("parser")
        self.table = table
        self.session = session
        self.tasks = tasks
        self.frontier = Frontier()
        # It wakes its waiters in turn, so pages are still fetched in the order they were found.
        self.limit = asyncio.Semaphore(work.workers)

    def found(self, paths: list[str]) -> None:
        """Start a task for each page."""
        for path in paths:
            self.tasks.create_task(self.visit(path), name=path)

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
            async with self.session.get(url, allow_redirects=False) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FetchError(url, str(error) or type(error).__name__) from error
        return read_page(path, answer.status, answer.headers, body, self.parser)
