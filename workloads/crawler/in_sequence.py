"""The crawl, one page after the other: while the site thinks, the program waits."""

from collections import deque

from concurtrace.workload import Work

from .fetch import fetch, open_session
from .frontier import START, Frontier
from .table import Table


def crawl(work: Work, table: Table) -> None:
    """Take the page found first, write its row, add what it leads to; until none is left."""
    site, parser = work.services["site"], work.text("parser")
    frontier = Frontier()
    todo = deque([START])
    with open_session() as session:
        while todo:
            page = fetch(session, site, todo.popleft(), parser)
            table.write(page)
            todo.extend(frontier.new(page.links))
