"""A server of static files: the same pages from servers of five kinds.

Pages lie in a folder; clients, in a process of their own, ask for one after the other, several
clients at the same time, each request over a connection of its own. What runs here is the server:
the standard library's, one request at a time (`sequential`) or with a thread for each (`threads`);
aiohttp's on asyncio's event loop; gevent's, with a greenlet for each connection; and Twisted's
`Site`, which makes a server of a folder in one line.

What to look for in the report: in `threads` what it costs to start a thread for each request; in
`async`, `gevent` and `twisted` how much of the time the one thread works, and how much it waits for
any of its sockets: a loop that never waits is full. Every server makes several calls to the kernel
for a request; those that open and close a connection are saved by clients that keep theirs. aiohttp
has threads look for each file, because that may block: handing it over costs more than the looking.
The fault `slow-resource` takes 20 ms for one of the pages, by a call that blocks: all clients wait
as long, whatever they have asked for.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from concurtrace.workload import Fault, FaultOutcome, Parameter, Result, Work, Workload

from .._models import GEVENT

WORKLOAD = Workload(
    lessons=("A39", "A40"),
    default_mode="twisted",
    parameters=(
        Parameter("size", 3000, "requests", 1, 10_000_000, presets={"tiny": 12, "large": 20_000}),
        Parameter("clients", 20, "who ask at the same time", 1, 500, presets={"tiny": 3}),
        Parameter("pages", 40, "files in the folder", 1, 100_000, presets={"tiny": 3}),
        Parameter("page-kb", 20, "size of a file in kilobytes", 1, 100_000, presets={"tiny": 2}),
    ),
    faults=(
        Fault(
            "slow-resource",
            "one of the pages is made by a call that blocks the event loop",
            FaultOutcome.COST,
            modes=("async", "twisted"),
        ),
    ),
    expects={"threads": ("thread-churn",), "sequential": ("chatty-io",)},
)


@WORKLOAD.service
def clients(work: Work) -> Iterator[Mapping[str, str]]:
    """Write the pages, and keep clients ready that come when they are told where."""
    from .._service import running
    from .files import write_pages

    with TemporaryDirectory(prefix="static-server-") as folder:
        write_pages(work, Path(folder))
        with running(f"{__name__}._clients", work.parameters) as port:
            yield {"clients": port, "folder": folder}


@WORKLOAD.mode(imports=("twisted", f"{__name__}.in_reactor"), extra="twisted")
def twisted(work: Work) -> Result:
    """By Twisted's Site of static Files, which its reactor runs."""
    from .in_reactor import serve

    return serve(work)


@WORKLOAD.mode(imports=("aiohttp.web", f"{__name__}.in_loop"))
def async_(work: Work) -> Result:
    """By aiohttp's server, which hands a file to the kernel to send."""
    from .in_loop import serve

    return serve(work)


@WORKLOAD.mode(imports=("gevent", f"{__name__}.in_greenlets"), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """By gevent's WSGI server, with a greenlet for each connection."""
    from .in_greenlets import serve

    return serve(work)


@WORKLOAD.mode(imports=("http.server", f"{__name__}.blocking"))
def threads(work: Work) -> Result:
    """By the standard library's server, with a thread for each request."""
    from .blocking import serve_by_threads

    return serve_by_threads(work)


@WORKLOAD.mode(imports=("http.server", f"{__name__}.blocking"))
def sequential(work: Work) -> Result:
    """By the standard library's server, one request after the other."""
    from .blocking import serve_in_turn

    return serve_in_turn(work)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Take what the clients ask for from the files, without a server."""
    from .files import all_records

    return Result(all_records(work))
