"""A web crawler: fetch pages over HTTP, parse them, follow their links, write a CSV file.

The site is on this machine, served by a process of its own, and made from the seed: pages with
links, images, redirects and dead links. Each page is answered after some time (`latency-ms`), as
on a real network. A crawl starts at the first page, takes pages in the order in which they are
found, visits each once, and writes a row for each into a CSV file, from which the result is read.

What it shows: fetching is waiting, and waits can overlap. One at a time (`sequential`) they add
up. Threads, greenlets and coroutines overlap them, until parsing, which needs the GIL, takes all
the time that there is; only processes parse on more than one core, and have to be started first.

What to look for in the report: the time spent waiting for the network in `sequential`; cores used
(one at most in `threads` and `async`, more in `processes`); the time in `parse_with_bs4` against
the time in `download`. Then change what it is bound by: `parser=lexbor` parses ten times faster,
`latency-ms=100` is a site far away, `workers=1` is sequential by other means.

The faults: what the threads share is one lock's, and `lock-around-get` holds it where nobody can
go on without it, `csv-unlocked` does not hold it where rows are written, `check-then-add` gives it
up between a question and what follows from the answer. `pool-per-url` waits for each page before
it asks for the next. `soup-result` returns titles as Beautiful Soup gives them: to pickle one is to
pickle its page, which for a small page is waste, and for the large ones of this fault too much.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from concurtrace.workload import (
    NO_FAULT,
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Result,
    Work,
    Workload,
)

from .._models import GEVENT

if TYPE_CHECKING:
    from .table import Table

TOO_DEEP_KB = 400
"""Pages of half this size have more elements than pickle goes deep; measured: 10 kB on Python
3.11, 100 kB on Python 3.13."""

WORKLOAD = Workload(
    lessons=("A20", "A29", "A40"),
    default_mode="threads",
    parameters=(
        Parameter(
            "size", 120, "pages of the site", 1, 100_000, presets={"tiny": 12, "large": 1000}
        ),
        Parameter("workers", 8, "requests under way at once", 1, 256, presets={"tiny": 3}),
        Parameter(
            "latency-ms",
            10,
            "how long the site waits before it answers, and up to half as long again",
            0,
            10_000,
            presets={"tiny": 1},
        ),
        Parameter("page-kb", 5, "mean size of a page in kilobytes", 1, 1000, presets={"tiny": 1}),
        Parameter("images", 12, "images on the site", 0, 100_000, presets={"tiny": 3}),
        Parameter("image-kb", 20, "size of an image in kilobytes", 1, 10_000, presets={"tiny": 2}),
        Parameter(
            "redirects", 4, "addresses that lead to another page", 0, 100_000, presets={"tiny": 2}
        ),
        Parameter("dead-links", 4, "addresses where nothing is", 0, 100_000, presets={"tiny": 2}),
        Parameter(
            "parser",
            "bs4",
            "how pages are parsed: Beautiful Soup's tree, calls from the"
            " standard library's parser, or the C library Lexbor (needs selectolax)",
            choices=("bs4", "stdlib", "lexbor"),
        ),
        START_METHOD,
    ),
    faults=(
        Fault(
            "lock-around-get",
            "the lock is held while a thread waits at the queue: nobody can put anything into it",
            FaultOutcome.HANG,
            modes=("threads",),
        ),
        Fault(
            "csv-unlocked",
            "rows are written in two steps with no lock held: one comes into the middle of another",
            FaultOutcome.WRONG_RESULT,
            modes=("threads",),
        ),
        Fault(
            "check-then-add",
            "a page counts as visited only after its visit: until then it is found again",
            FaultOutcome.WRONG_RESULT,
            modes=("threads",),
        ),
        Fault(
            "pool-per-url",
            "an executor for each page, whose end is waited for: one page at a time",
            FaultOutcome.COST,
            modes=("executor",),
        ),
        Fault(
            "soup-result",
            "titles are strings of Beautiful Soup, which know their pages: too deep to be pickled",
            FaultOutcome.EXCEPTION,
            modes=("executor-processes",),
        ),
    ),
    expects={
        "sequential": ("unoverlapped-io",),
        "threads": ("gil-saturation",),
        "executor": ("gil-saturation",),
    },
)


@WORKLOAD.service
def site(work: Work) -> Iterator[Mapping[str, str]]:
    """Serve the site while the crawl runs."""
    from .._site import served

    given = dict(work.parameters)
    if work.fault == "soup-result":
        given["page-kb"] = TOO_DEEP_KB
    with served(Work(given)) as address:
        yield {"site": address}


# Each mode imports its own client, and none of the others': a library that is not used would
# still take its time and memory in every process.


@WORKLOAD.mode(imports=("requests", "bs4", f"{__name__}.in_sequence"))
def sequential(work: Work) -> Result:
    """One page after the other over one connection."""
    from .in_sequence import crawl

    return _result(crawl, work)


@WORKLOAD.mode(imports=("requests", "bs4", f"{__name__}.in_threads", f"{__name__}.mistakes"))
def threads(work: Work) -> Result:
    """Threads that take pages from a queue, each with a connection of its own."""
    from . import in_threads, mistakes

    return _result(in_threads.crawl if work.fault == NO_FAULT else mistakes.crawl, work)


@WORKLOAD.mode(imports=("requests", "bs4", f"{__name__}.in_executors"))
def executor(work: Work) -> Result:
    """A pool of threads that fetch and parse; the main thread keeps the books."""
    from .in_executors import crawl_by_threads

    return _result(crawl_by_threads, work)


@WORKLOAD.mode(imports=("requests", "bs4", f"{__name__}.in_processes"))
def processes(work: Work) -> Result:
    """Processes that fetch and parse what is handed to them; the first one keeps the books."""
    from .in_processes import crawl

    return _result(crawl, work)


@WORKLOAD.mode(
    imports=("requests", "bs4", "concurrent.futures.process", f"{__name__}.in_executors")
)
def executor_processes(work: Work) -> Result:
    """A pool of processes that fetch and parse; the first one keeps the books."""
    from .in_executors import crawl_by_processes

    return _result(crawl_by_processes, work)


@WORKLOAD.mode(imports=("aiohttp", "bs4", f"{__name__}.in_tasks"))
def async_(work: Work) -> Result:
    """A task for each page, all in one thread."""
    from .in_tasks import crawl

    return _result(crawl, work)


@WORKLOAD.mode(
    imports=("gevent", "requests", "bs4", f"{__name__}.in_greenlets"), extra="gevent", before=GEVENT
)
def gevent(work: Work) -> Result:
    """Greenlets that take pages from a queue, with sockets that let others run."""
    from .in_greenlets import crawl

    return _result(crawl, work)


@WORKLOAD.mode(imports=("twisted", "bs4", f"{__name__}.in_reactor"), extra="twisted")
def twisted(work: Work) -> Result:
    """A Deferred for each page, all in one thread."""
    from .in_reactor import crawl

    return _result(crawl, work)


def _result(crawl: "Callable[[Work, Table], None]", work: Work) -> Result:
    from .table import Table

    with Table() as table:
        crawl(work, table)
        return Result(table.read_back())


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Take from the site's specification what a crawler must find, without one request."""
    from .._site.specification import Site

    specified = Site(work)
    found = (specified.resource(path) for path in specified.paths)
    return Result([resource.record for resource in found if resource is not None])
